import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Lease } from '../../src/gen/leasehold/v1/lease.ts';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { median, rateOf } from '../measure.ts';
import type { Mood } from './proxy.ts';
import type { Site, Tenant } from './site.ts';

// Leases of the victim that end while the worker has an attacker's to take down.

interface Attack {
  name: string;
  beside: string;
  /** Leases of the attacker on each cluster that fall due at once. */
  leases: number;
  /** The first is the victim's as well. */
  clusters: number;
  mood: Mood | undefined;
}

const SLOW: Mood = { kind: 'slow deletes', ms: 9_000 };

const ATTACKS: readonly Attack[] = [
  { name: 'lag', beside: 'alone', leases: 0, clusters: 1, mood: undefined },
  { name: 'lag-rest', beside: 'own token gets 429, Retry-After: 60', leases: 5, clusters: 1, mood: { kind: 'rest' } },
  { name: 'lag-slow', beside: '40 leases, 9 s for a delete', leases: 40, clusters: 1, mood: SLOW },
  { name: 'lag-silent', beside: '40 leases, calls not answered', leases: 40, clusters: 1, mood: { kind: 'silent' } },
  { name: 'lag-many', beside: '2,000 leases due at once', leases: 2_000, clusters: 1, mood: undefined },
  {
    name: 'lag-clusters',
    beside: '4 clusters, 40 leases and 9 s for a delete each',
    leases: 40,
    clusters: 4,
    mood: SLOW,
  },
  { name: 'lag-again', beside: 'alone again', leases: 0, clusters: 1, mood: undefined },
];

const LEASES = 30;
/** The victim's leases end in so many seconds after the attacker's. */
const SPREAD_SECONDS = 3;
/** So long they are waited for. */
const PATIENCE_MS = 12_000;
const POLL_MS = 250;

/** Making many leases takes as long as a sample says, and more: all must be made before they are due. */
const MAKERS = 16;
const SAMPLE = 100;
const SPARE = 2;
const LEAST_LEAD_MS = 4_000;

const ALIVE = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];

/** Returns the rows of the table. */
export async function benchOnWorker(site: Site, progress: (line: string) => void) {
  const results = [];
  for (const attack of ATTACKS) {
    const lags = await lagsBeside(site, attack);
    results.push({ attack, ...lags });
    progress(`tenants, worker: ${attack.beside}: ${lags.ended} of ${LEASES} ended`);
  }
  const aloneMs = median(results.filter(({ attack }) => attack.leases === 0).map(({ lagsMs }) => median(lagsMs)));
  return results.map(({ attack, lagsMs, ended }) => ({
    'victim beside': attack.beside,
    'ended, %': Math.round((100 * ended) / LEASES),
    'lag p50, ms': Math.round(median(lagsMs)),
    'lag at most, ms': Math.round(Math.max(...lagsMs)),
    'lag p50 / alone': Number((median(lagsMs) / aloneMs).toFixed(1)),
  }));
}

/** How long after their expiry the victim's leases were gone; of those that were not, how long they are overdue. */
async function lagsBeside(site: Site, { name, leases, clusters, mood }: Attack) {
  const { victim, attacker, proxy } = site;
  const shared = await proxy.open();
  const urls = [shared];
  while (urls.length < clusters) {
    urls.push(await proxy.open());
  }
  const configs = urls.map((_, index) => `${name}-attacker-${index}`);
  for (const [index, cluster] of urls.entries()) {
    await site.createConfig(attacker, configs[index] ?? '', cluster);
  }
  await site.createConfig(victim, name, shared);

  const dueAt = Date.now() + (await leadMs(site, name, leases * clusters + LEASES));
  for (const config of configs) {
    await issueUntil(attacker, config, leases, () => dueAt);
  }
  const issued = await issueUntil(victim, name, LEASES, (index) => dueAt + (index % SPREAD_SECONDS) * 1000);
  if (Date.now() > dueAt) {
    throw new Error('making the leases took longer than until they were due');
  }
  for (const { url } of urls) {
    proxy.setMood(url, attacker.token, mood);
  }
  const lastDueAt = Math.max(...issued.map(({ expireTime }) => expireTime?.getTime() ?? 0));
  await sleep(dueAt - Date.now());
  const found = await untilEnded(site, name, issued, lastDueAt + PATIENCE_MS);
  const foundAt = Date.now();
  for (const { url } of urls) {
    proxy.setMood(url, attacker.token, undefined);
  }
  await Promise.all(configs.map((config) => untilNoneLives(site, config, foundAt + PATIENCE_MS)));
  return {
    ended: found.filter(({ endTime }) => endTime).length,
    lagsMs: found.map(
      ({ endTime, expireTime }) => (endTime?.getTime() ?? foundAt) - (expireTime?.getTime() ?? foundAt),
    ),
  };
}

/** Time that it takes to make so many, and some to spare. */
async function leadMs({ victim }: Site, config: string, count: number): Promise<number> {
  if (count < 2 * SAMPLE) {
    return LEAST_LEAD_MS + count * 50;
  }
  const perSecond = await rateOf(async () => void (await victim.client.leases.issueLease({ config })), MAKERS, SAMPLE);
  return LEAST_LEAD_MS + (count / perSecond) * SPARE * 1000;
}

/** Leases that are due in the second after the time that `dueAt` tells of each. */
async function issueUntil(
  { client }: Tenant,
  config: string,
  count: number,
  dueAt: (index: number) => number,
): Promise<Lease[]> {
  const make = pLimit(MAKERS);
  const made = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      make(() =>
        client.leases.issueLease({
          config,
          ttl: { seconds: BigInt(Math.max(1, Math.ceil((dueAt(index) - Date.now()) / 1000))) },
        }),
      ),
    ),
  );
  return made.flatMap(({ lease }) => lease ?? []);
}

/** The leases as they are when all have ended, or when it is too late. */
async function untilEnded(
  { operator }: Site,
  config: string,
  issued: readonly Lease[],
  until: number,
): Promise<Lease[]> {
  const ids = new Set(issued.map(({ id }) => id));
  for (;;) {
    const { leases } = await operator.leases.listLeases({ config, pageSize: 1_000 });
    const found = leases.filter(({ id }) => ids.has(id));
    if (found.every(({ endTime }) => endTime) || Date.now() > until) {
      return found;
    }
    await sleep(POLL_MS);
  }
}

async function untilNoneLives({ operator }: Site, config: string, until: number): Promise<void> {
  const { leases } = operator;
  while (Date.now() < until && (await leases.listLeases({ config, states: ALIVE, pageSize: 1 })).leases.length > 0) {
    await sleep(POLL_MS);
  }
}
