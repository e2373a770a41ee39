import type { BatchOutcome } from '../domain/batch.ts';
import type { StoredConfig } from '../domain/damaged-config.ts';
import { FailedPrecondition } from '../domain/errors.ts';
import { revokeMatching } from '../leases/revoke-matching.ts';
import type { Ports } from '../ports/ports.ts';
import { requireEtag } from './etag.ts';
import { whileDeleting } from './while-deleting.ts';

/** Where whoever kept the mark of the deletion was held up, leases may have been issued meanwhile: then once more. */
const ROUNDS = 3;

/**
 * Removes a config; with `revokeLeases` its leases are taken down first, and none is issued meanwhile. Throws Aborted,
 * FailedPrecondition while leases on it live, or Unavailable; then the config is still there, and leases are issued on
 * it again.
 */
export async function deleteConfig(
  ports: Ports,
  config: StoredConfig,
  { etag, revokeLeases }: { etag: string; revokeLeases: boolean },
): Promise<void> {
  requireEtag(config, etag);
  if (revokeLeases) {
    await whileDeleting(ports, config, () => revokeAndDelete(ports, config));
  } else {
    await ports.configs.delete(config);
  }
  ports.log.info({ config: config.name }, 'config deleted');
}

async function revokeAndDelete(ports: Ports, config: StoredConfig): Promise<void> {
  for (let round = 1; ; round++) {
    await revokeLeasesOf(ports, config);
    try {
      return await ports.configs.delete(config);
    } catch (error) {
      if (!(error instanceof FailedPrecondition) || round === ROUNDS) {
        throw error;
      }
    }
  }
}

async function revokeLeasesOf(ports: Ports, config: StoredConfig): Promise<void> {
  const stuck: BatchOutcome[] = [];
  await revokeMatching(ports, {
    configs: [config.name],
    // Another may have the name by now, whose leases are not what was asked for.
    matches: ({ configUid }) => configUid === config.uid,
    async report(outcome) {
      if (outcome.state === 'REVOKING') {
        stuck.push(outcome);
      }
    },
  });
  const [first] = stuck;
  if (first) {
    throw new FailedPrecondition(
      'LEASES_NOT_REVOKED',
      `${stuck.length} leases on config ${JSON.stringify(config.name)} are not taken down yet, and are retried; the first is ${first.leaseId}: ${first.error || 'what was asked for last may still appear'}. The config stays, and leases can be issued on it again: delete it once these have ended (ListLeases)`,
    );
  }
}
