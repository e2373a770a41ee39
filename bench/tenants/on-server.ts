import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SERVER_CA } from '../../test/support/security.ts';
import { median, percentile } from '../measure.ts';
import type { Stage } from '../stage.ts';
import { ATTACK_NAMES, ATTACKS, type AttackCount, type AttackName, type AttackOrder } from './attacks.ts';
import type { Mood } from './proxy.ts';
import type { Site } from './site.ts';
import { type Calls, type Experience, experience, stockOf } from './victim.ts';

/** What the API server does to the attacker's own calls. */
const MOODS: Partial<Record<AttackName, Mood>> = {
  rest: { kind: 'rest' },
  timeouts: { kind: 'silent' },
  waits: { kind: 'silent' },
};

/** So long the attack goes on before the victim calls: what is to break for it breaks while it is away. */
const HEAD_START_MS: Partial<Record<AttackName, number>> = { drafts: 8_000, timeouts: 11_000 };

const NAMESPACES = 64;

const NO_CALLS: AttackCount = { answered: 0, refused: 0, reason: '' };

interface Measured extends Experience {
  beside: string;
  attacker: AttackCount;
}

/** The victim alone, beside each attacker in turn, and alone again. Returns the rows of the table. */
export async function benchOnServer(stage: Stage, site: Site, progress: (line: string) => void) {
  await alone(site, 'warm-up');
  const results = [await alone(site, 'alone')];
  for (const name of ATTACK_NAMES) {
    results.push(await besideAttacker(stage, site, name));
    progress(`tenants, server: ${describe(results.at(-1))}`);
  }
  results.push(await alone(site, 'alone again'));
  return tableOf(results);
}

async function alone(site: Site, beside: string): Promise<Measured> {
  const config = beside.replace(' ', '-');
  await site.createConfig(site.victim, config, await site.proxy.open());
  const { victim, server } = site;
  const measured = await experience(victim.client, config, await stockOf(victim.client, config), server.pid);
  return { ...measured, beside, attacker: NO_CALLS };
}

/** Both have a config at one URL, which no other attack uses: what an attack leaves behind there, such as a rest, ends with it. */
async function besideAttacker(stage: Stage, site: Site, name: AttackName): Promise<Measured> {
  const { victim, attacker, proxy, server } = site;
  // Whoever is known already does not compete with forged tokens.
  const client = name === 'forgeries' ? site.victimByNewTokens : victim.client;
  const cluster = await proxy.open();
  const config = `attacker-${name}`;
  await site.createConfig(victim, name, cluster);
  await site.createConfig(attacker, config, cluster, name === 'checks' ? await namespaces(stage) : undefined);
  const stock = await stockOf(victim.client, name);
  proxy.setMood(cluster.url, attacker.token, MOODS[name]);
  const { address, keys, issuer } = site;
  const workerData: AttackOrder = {
    name,
    address,
    serverCa: SERVER_CA,
    keys,
    issuer,
    config,
    access: { ...cluster, token: attacker.token },
    namespace: attacker.namespace,
  };
  const thread = new Worker(new URL('attack-thread.ts', import.meta.url), { workerData });
  let count = NO_CALLS;
  thread.on('message', (counted: AttackCount) => {
    count = counted;
  });
  try {
    await new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject));
    await sleep(HEAD_START_MS[name] ?? 1_000);
    const measured = await experience(client, name, stock, server.pid);
    return { ...measured, beside: ATTACKS[name], attacker: count };
  } finally {
    await thread.terminate();
    proxy.setMood(cluster.url, attacker.token, undefined);
  }
}

async function namespaces({ admin }: Stage): Promise<string[]> {
  return Promise.all(Array.from({ length: NAMESPACES }, () => admin.createNamespace('many')));
}

/** Latencies beside those of the victim alone, before and after. */
function tableOf(results: readonly Measured[]) {
  const quiet = results.filter(({ beside }) => beside.startsWith('alone'));
  const aloneMs = (calls: 'issues' | 'revocations', share: number) =>
    percentile(
      quiet.flatMap((each) => each[calls].tookMs),
      share,
    );
  const columns = (kind: 'issues' | 'revocations', calls: Calls) => ({
    [kind]: calls.tookMs.length + calls.failures.length,
    [`${kind}, %`]: successOf(calls),
    [`${kind} p50, ms`]: Math.round(median(calls.tookMs)),
    [`${kind} p99, ms`]: Math.round(percentile(calls.tookMs, 0.99)),
    [`${kind} p50 / alone`]: Number((median(calls.tookMs) / aloneMs(kind, 0.5)).toFixed(1)),
    [`${kind} p99 / alone`]: Number((percentile(calls.tookMs, 0.99) / aloneMs(kind, 0.99)).toFixed(1)),
  });
  return results.map(({ beside, issues, revocations, serverMib, attacker }) => ({
    'victim beside': beside,
    ...columns('issues', issues),
    ...columns('revocations', revocations),
    'server, MiB': serverMib,
    'attacker: answered': attacker.answered,
    'refused or failed': attacker.refused,
  }));
}

/** Of 100 calls so many succeeded. */
function successOf({ tookMs, failures }: Calls): number {
  return Math.round((100 * tookMs.length) / (tookMs.length + failures.length));
}

function describe(measured: Measured | undefined): string {
  if (measured === undefined) {
    return '';
  }
  const reasons = new Set([...measured.issues.failures, ...measured.revocations.failures]);
  const why = reasons.size > 0 ? ` (${[...reasons].join(', ')})` : '';
  const success = `issues ${successOf(measured.issues)} %, revocations ${successOf(measured.revocations)} %${why}`;
  return `${measured.beside}: ${success}; the attacker: ${measured.attacker.reason.slice(0, 160) || 'was not refused'}`;
}
