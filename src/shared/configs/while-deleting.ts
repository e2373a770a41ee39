import { v7 as uuidv7 } from 'uuid';
import type { StoredConfig } from '../domain/damaged-config.ts';
import { Aborted, LeaseholdError } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';

/** A server that dies while it deletes a config keeps leases from being issued on it for no longer than this. */
const MARK_MS = 30_000;

/** How often the mark is renewed: a try that fails leaves time for another. */
const RENEWAL_MS = 10_000;

/**
 * Does `work` while no lease is issued on `config`. Where it fails, leases are issued again. Throws what `work` throws,
 * and Aborted where the config is gone.
 */
export async function whileDeleting(ports: Ports, config: StoredConfig, work: () => Promise<void>): Promise<void> {
  const id = uuidv7();
  const over = new AbortController();
  await ports.configs.markDeletion(config, id, MARK_MS);
  const renewing = renewMark(ports, config, id, over.signal);
  const stopRenewing = () => {
    over.abort();
    return renewing;
  };
  try {
    await work();
  } catch (error) {
    await stopRenewing();
    await mark(ports, config, id, 0);
    throw error;
  }
  await stopRenewing();
}

async function renewMark(ports: Ports, config: StoredConfig, id: string, over: AbortSignal): Promise<void> {
  while (await sleeps(ports, over)) {
    await mark(ports, config, id, MARK_MS);
  }
}

/** Whether the time passed before it was over. */
async function sleeps({ clock }: Ports, over: AbortSignal): Promise<boolean> {
  return clock.sleep(RENEWAL_MS, over).then(
    () => !over.aborted,
    () => false,
  );
}

/** A failure does not hide what the work comes to: the mark ends by itself, or with the config. */
async function mark(ports: Ports, config: StoredConfig, id: string, ms: number): Promise<void> {
  try {
    await ports.configs.markDeletion(config, id, ms);
  } catch (error) {
    if (error instanceof Aborted) {
      return;
    }
    if (!(error instanceof LeaseholdError)) {
      throw error;
    }
    ports.log.warn(
      { config: config.name, err: error },
      'could not mark that a config is being deleted, or not any more',
    );
  }
}
