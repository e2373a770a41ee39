import { RoleKind } from '../src/gen/leasehold/v1/config.ts';
import { type Access, directAccess } from '../test/support/set-ups.ts';
import { notApart } from '../test/support/transports/apart.ts';
import { openGatewayInstallation } from '../test/support/transports/gateway-installation.ts';
import { openGateway } from '../test/support/transports/open-gateway.ts';
import { measureAgentMemory } from './gateway-memory.ts';
import { inTurn, median, rateOf } from './measure.ts';
import { clear, type Stage, TTL_SECONDS } from './stage.ts';
import type { Way } from './ways.ts';

// Issuing by both uses of a gateway beside straight calls, and what an agent takes of memory. Server, worker and agents
// are processes of one machine with the API server: what the agent's process costs of its cores is in the figures, what a
// network between them would cost is not.

const CALLERS = 16;
const ROUNDS = 9;
const COUNT = 1200;
const WARM_UP = 3000;
const TARGET = 0.7;

const WAYS = ['direct', 'gateway', 'path'] as const;
type WayName = (typeof WAYS)[number];
type Rates = Record<WayName, number>;

/** Measures the ways in turn, then an agent's memory; prints the verdicts and returns the rows of the tables. */
export async function benchGateway(stage: Stage, progress: (line: string) => void) {
  await using opened = new AsyncDisposableStack();
  const ways = await waysBy(opened, stage);
  progress('warming up: a server runs for days, its first thousand calls are slower');
  for (const name of WAYS) {
    await rateOf(ways[name], CALLERS, WARM_UP);
    await clear(stage);
  }
  const rounds: Rates[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const rates: Rates = { direct: 0, gateway: 0, path: 0 };
    for (const name of inTurn(WAYS, round)) {
      rates[name] = await rateOf(ways[name], CALLERS, COUNT);
      await clear(stage);
    }
    rounds.push(rates);
    const shown = WAYS.map((name) => `${name} ${Math.round(rates[name])}/s`).join(', ');
    progress(`round ${round} of ${ROUNDS}, ${CALLERS} callers: ${shown}`);
  }
  const issuing = row(rounds);
  console.table([issuing]);
  for (const name of ['gateway', 'path'] as const) {
    const ratio = issuing[`${name} / direct`];
    const verdict = ratio >= TARGET ? 'reached' : 'not reached';
    console.log(`issuing by ${name} at ${CALLERS} callers: ${ratio} of direct; the target is ${TARGET}: ${verdict}`);
  }
  const memory = await measureAgentMemory(stage);
  console.table(memory);
  return { issuing, memory };
}

/** One installation with a config for each way, all on the same namespace and role. */
async function waysBy(opened: AsyncDisposableStack, stage: Stage): Promise<Record<WayName, Way>> {
  const { cluster, redisUrl, token, namespace, role } = stage;
  const installation = opened.use(await openGatewayInstallation(notApart(cluster, redisUrl)));
  const worker = await installation.startWorker();
  const { client, process } = await installation.startServer();
  const byItself = await openGateway(installation, client, { token });
  const asPath = await openGateway(installation, client, {});
  for (const each of [worker, process, byItself.agent, asPath.agent]) {
    each.ignoreLogs();
  }
  const direct = directAccess(cluster, token);
  const accesses: Record<WayName, Access> = {
    direct,
    gateway: { $case: 'gateway', value: { name: byItself.name } },
    path: { ...direct, value: { ...direct.value, gateway: asPath.name } },
  };
  const ttl = { seconds: BigInt(TTL_SECONDS) };
  for (const name of WAYS) {
    await client.configs.createConfig({
      config: {
        name,
        defaultTtl: ttl,
        maxTtl: ttl,
        access: accesses[name],
        credential: {
          $case: 'dynamic',
          value: { allowedNamespaces: [namespace], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role } },
        },
      },
    });
  }
  const wayOf = (config: WayName) => async () => void (await client.leases.issueLease({ config }));
  return { direct: wayOf('direct'), gateway: wayOf('gateway'), path: wayOf('path') };
}

/** Round by round, because the machine's speed drifts between rounds. */
function row(rounds: readonly Rates[]) {
  const rate = (way: WayName) => Math.round(median(rounds.map((rates) => rates[way])));
  const ratio = (way: WayName) => Number(median(rounds.map((rates) => rates[way] / rates.direct)).toFixed(2));
  return {
    callers: CALLERS,
    'direct, leases/s': rate('direct'),
    'gateway, leases/s': rate('gateway'),
    'path, leases/s': rate('path'),
    'gateway / direct': ratio('gateway'),
    'path / direct': ratio('path'),
  };
}
