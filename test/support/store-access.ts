import { randomUUID } from 'node:crypto';
import type { DirectAccess } from '../../src/shared/domain/config.ts';
import { createRuntime } from '../../src/shared/runtime.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import type { World } from './world.ts';

/** Stores another access of a config, as versions before wrote it: nothing of it is judged. */
export async function storeAccess(
  { settings }: Pick<World, 'settings'>,
  name: string,
  changes: Partial<DirectAccess>,
): Promise<void> {
  const { ports, close } = await createRuntime(settings, createLogger('test', 'silent'));
  try {
    const stored = await ports.configs.get(name);
    if (!stored || !('access' in stored) || stored.access.kind !== 'direct') {
      throw new Error('the config is not there');
    }
    const access = { ...stored.access, ...changes, id: randomUUID() };
    await ports.configs.keepAccess(access);
    await ports.configs.replace({ ...stored, access, version: stored.version + 1 });
  } finally {
    await close();
  }
}
