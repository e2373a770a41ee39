import { v7 as uuidv7 } from 'uuid';
import { type Config, type ConfigDraft, clusterOf } from '../domain/config.ts';
import { AlreadyExists } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';
import { accessFor } from './access-for.ts';
import { blameUrl } from './blame-url.ts';
import { chargeTrial } from './charge-calls.ts';
import { onTrial } from './on-trial.ts';
import { tryConfig } from './try-config.ts';
import { tellWritten, type WrittenConfig } from './written-config.ts';

/**
 * Tries the cluster, then stores the config. Throws AlreadyExists, InvalidArgument (no such gateway, a URL that may not
 * be called), ResourceExhausted, FailedPrecondition (no such role), a ClusterError or Unavailable; then there is no
 * config and nothing stays in the cluster. The sealed access goes with it, or with the last trial lease that is taken
 * down with it.
 */
export async function createConfig(ports: Ports, draft: ConfigDraft, principal: string): Promise<WrittenConfig> {
  if (await ports.configs.get(draft.name)) {
    throw new AlreadyExists('CONFIG_NAME_TAKEN', `there is a config ${JSON.stringify(draft.name)} already`);
  }
  const now = ports.clock.now();
  const uid = uuidv7();
  const config: Config = {
    ...draft,
    access: await accessFor(ports, draft.access, uid),
    uid,
    version: 1,
    createTime: now,
    updateTime: now,
  };
  await chargeTrial(ports, principal, config);
  const trial = { principal, isOfNewConfig: true };
  const warnings = await onTrial(ports, { access: config.access, trial }, async () => {
    const untried = await blameUrl(tryConfig(ports, config));
    await ports.configs.create(config, principal);
    return untried;
  });
  tellWritten(ports, 'config created', { config: config.name, cluster: clusterOf(config.access), warnings });
  return { config, warnings };
}
