import type { Access } from '../domain/config.ts';
import { LeaseholdError } from '../domain/errors.ts';
import type { Trial } from '../ports/config-store.ts';
import type { Ports } from '../ports/ports.ts';

/**
 * Keeps an access while it is tried and a config comes to name it. Where that fails it is dropped: what a failed call
 * stores must not fill the store.
 */
export async function onTrial<T>(
  ports: Pick<Ports, 'configs' | 'log'>,
  { access, trial }: { access: Access; trial?: Trial },
  work: () => Promise<T>,
): Promise<T> {
  await ports.configs.keepAccess(access, trial);
  try {
    return await work();
  } catch (error) {
    await drop(ports, access);
    throw error;
  }
}

/** One that is not dropped expires. */
async function drop({ configs, log }: Pick<Ports, 'configs' | 'log'>, access: Access) {
  try {
    await configs.dropAccess(access);
  } catch (error) {
    if (!(error instanceof LeaseholdError)) {
      throw error;
    }
    log.warn({ access: access.id, err: error }, 'the access of a failed trial stays until it expires');
  }
}
