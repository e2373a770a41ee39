import { RoleKind } from '../src/gen/leasehold/v1/config.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../test/support/leasehold.ts';
import { spawnLeasehold } from '../test/support/leasehold-process.ts';
import { directAccess, seconds } from '../test/support/set-ups.ts';
import { entryOf, OTHER_CHECKOUT } from './checkout.ts';
import { inTurn, median, percentile, rateOf } from './measure.ts';
import { CONFIG, clear, type Stage, TTL_SECONDS } from './stage.ts';

// Issuing by this checkout beside another, in turn, on one API server and one Redis.

const CALLERS = 16;
const ROUNDS = 12;
const COUNT = 1200;
const WARM_UP = 3000;
const TARGET = 0.97;

const SIDES = ['this', 'other'] as const;
type Side = (typeof SIDES)[number];

/** Prints the verdict and returns the row of the table. `LEASEHOLD_BENCH_CHECKOUT` names the other; unset: this one again. */
export async function benchBeside(stage: Stage, progress: (line: string) => void) {
  await using running = new AsyncDisposableStack();
  const clients = {
    this: await serve(stage, running, undefined),
    other: await serve(stage, running, OTHER_CHECKOUT),
  };
  const rate = async (side: Side, count: number) => {
    const { leases } = clients[side];
    const perSecond = await rateOf(async () => void (await leases.issueLease({ config: CONFIG })), CALLERS, count);
    await clear(stage);
    return perSecond;
  };
  progress('warming up: a server runs for days, its first thousand calls are slower');
  for (const side of SIDES) {
    await rate(side, WARM_UP);
  }
  const rounds: Record<Side, number>[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const rates = { this: 0, other: 0 };
    for (const side of inTurn(SIDES, round)) {
      rates[side] = await rate(side, COUNT);
    }
    rounds.push(rates);
    progress(`round ${round} of ${ROUNDS}: this ${Math.round(rates.this)}/s, other ${Math.round(rates.other)}/s`);
  }
  const ratios = rounds.map(({ this: here, other }) => here / other);
  const row = {
    'this, leases/s': Math.round(median(rounds.map((rates) => rates.this))),
    'other, leases/s': Math.round(median(rounds.map((rates) => rates.other))),
    'this / other': Number(median(ratios).toFixed(3)),
    'lower quartile': Number(percentile(ratios, 0.25).toFixed(3)),
    'upper quartile': Number(percentile(ratios, 0.75).toFixed(3)),
  };
  console.table([row]);
  const verdict = row['this / other'] >= TARGET ? 'reached' : 'not reached';
  console.log(`issuing: ${row['this / other']} of the other checkout; the target is ${TARGET}: ${verdict}`);
  return row;
}

/** A server of that checkout, an installation of its own. */
async function serve(
  { redisUrl, cluster, token, namespace, role }: Stage,
  running: AsyncDisposableStack,
  checkout: string | undefined,
): Promise<LeaseholdClient> {
  const server = spawnLeasehold('server', leaseholdEnvironment(redisUrl), {
    entry: entryOf('server', checkout),
  });
  running.defer(async () => void (await server.stop()));
  const { address = '' } = await server.logged('serving');
  server.ignoreLogs();
  const client = connectTo(address);
  running.defer(async () => client.close());
  await client.configs.createConfig({
    config: {
      name: CONFIG,
      defaultTtl: seconds(TTL_SECONDS),
      maxTtl: seconds(TTL_SECONDS),
      access: directAccess(cluster, token),
      credential: {
        $case: 'dynamic',
        value: { allowedNamespaces: [namespace], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role } },
      },
    },
  });
  return client;
}
