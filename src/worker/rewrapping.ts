import { REWRAP_QUEUE } from '../shared/queue/queues.ts';
import type { Runtime } from '../shared/runtime.ts';
import { countRewrapped } from '../shared/telemetry/metrics.ts';
import type { Recurring } from './recurring-worker.ts';
import type { Work } from './work.ts';

/**
 * Brings what is sealed under older keys under the primary, again and again, and tells which keys may be dropped
 * then. The work itself needs no ports: it is between the store and the keys.
 */
export function rewrapping({ settings, log }: Work, { rewrap }: Pick<Runtime, 'rewrap'>): Recurring {
  async function run(): Promise<void> {
    const { rewrapped, left, freed } = await rewrap();
    if (rewrapped > 0) {
      countRewrapped(rewrapped);
      log.info({ rewrapped, left }, 'cluster accesses re-wrapped under the primary key');
    }
    if (freed.length > 0) {
      log.info({ keys: freed }, 'nothing is sealed under these keys any more: they may be dropped from the keyring');
    }
  }

  return { queueName: REWRAP_QUEUE, everyMs: settings.LEASEHOLD_REWRAP_INTERVAL * 1000, run };
}
