import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { LeaseState } from '../src/gen/leasehold/v1/lease.ts';
import { median, rateOf } from './measure.ts';
import { CONFIG, clear, type Stage } from './stage.ts';
import { newPool, posts, send } from './ways.ts';

// Ten thousand leases that fall due within the same second: how long until the last object is gone, beside raw deletes
// of as many objects.

const LEASES = 10_000;
const ROUNDS = 3;
const TARGET = 0.7;

/** Making them takes so many callers, for as long as a sample says, and more: all must be made before they are due. */
const MAKERS = 16;
const SAMPLE = 500;
const SPARE = 1.7;

/** Deletes at once: two for each lease that the worker takes down at a time. */
const DELETERS = 64;

const BODY = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };

const POLL_MS = 100;

/** Measures both ways in turn; prints the verdict and returns the row of the table. */
export async function benchExpiry(stage: Stage, progress: (line: string) => void) {
  const rounds: { raw: number; leasehold: number }[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const raw = await rawDeletes(stage);
    await clear(stage);
    const leasehold = await expiries(stage);
    await clear(stage);
    rounds.push({ raw, leasehold });
    progress(
      `round ${round} of ${ROUNDS}, ${LEASES} leases: raw ${raw.toFixed(1)} s, leasehold ${leasehold.toFixed(1)} s`,
    );
  }
  const ratio = Number(median(rounds.map(({ raw, leasehold }) => raw / leasehold)).toFixed(2));
  const row = {
    leases: LEASES,
    'raw, s': Number(median(rounds.map(({ raw }) => raw)).toFixed(1)),
    'leasehold, s': Number(median(rounds.map(({ leasehold }) => leasehold)).toFixed(1)),
    'raw / leasehold': ratio,
  };
  console.table([row]);
  const verdict = ratio >= TARGET ? 'reached' : 'not reached';
  console.log(`expiry: ${ratio} of the speed of raw deletes; the target is ${TARGET}: ${verdict}`);
  return row;
}

/** Seconds for kept-alive deletes of service accounts and bindings, with nothing recorded. */
async function rawDeletes(stage: Stage): Promise<number> {
  const pool = newPool(stage, DELETERS / 2);
  const make = pLimit(MAKERS);
  const made: string[] = [];
  await Promise.all(
    Array.from({ length: LEASES }, () =>
      make(async () => {
        const [account, binding] = posts(stage);
        await send(stage, pool, account);
        await send(stage, pool, binding);
        made.push(...[account, binding].map(({ path, name }) => `${path}/${name}`));
      }),
    ),
  );
  const startedAt = performance.now();
  const remove = pLimit(DELETERS);
  await Promise.all(made.map((path) => remove(() => send(stage, pool, { method: 'DELETE', path, body: BODY }))));
  const seconds = (performance.now() - startedAt) / 1000;
  await pool.close();
  return seconds;
}

/** Seconds from the second in which all are due until no lease lives. */
async function expiries(stage: Stage): Promise<number> {
  const { leases } = stage.client;
  const perSecond = await rateOf(async () => void (await leases.issueLease({ config: CONFIG })), MAKERS, SAMPLE);
  await Array.fromAsync(leases.batchRevokeLeases({ target: { $case: 'all', value: true } }));
  const dueAt = Date.now() + (LEASES / perSecond) * SPARE * 1000;
  const make = pLimit(MAKERS);
  await Promise.all(
    Array.from({ length: LEASES }, () =>
      make(() => leases.issueLease({ config: CONFIG, ttl: { seconds: BigInt(secondsUntil(dueAt)) } })),
    ),
  );
  if (Date.now() > dueAt) {
    throw new Error(`making ${LEASES} leases took longer than until they were due`);
  }
  await sleep(dueAt - Date.now());
  const states = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  while ((await leases.listLeases({ states, pageSize: 1 })).leases.length > 0) {
    await sleep(POLL_MS);
  }
  const seconds = (Date.now() - dueAt) / 1000;
  const left = await stage.admin.leaseholdObjects();
  if (left.length > 0) {
    throw new Error(`${left.length} objects are left though no lease lives`);
  }
  return seconds;
}

/** Rounded up, so that all are due in the second after `time`. */
function secondsUntil(time: number): number {
  return Math.ceil((time - Date.now()) / 1000);
}
