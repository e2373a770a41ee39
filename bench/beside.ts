import { readFile } from 'node:fs/promises';
import { RoleKind } from '../src/gen/leasehold/v1/config.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../test/support/leasehold.ts';
import { spawnLeasehold } from '../test/support/leasehold-process.ts';
import { directAccess, seconds } from '../test/support/set-ups.ts';
import { entryOf, OTHER_CHECKOUT } from './checkout.ts';
import { inTurn, median, percentile, rateOf } from './measure.ts';
import { CONFIG, clear, type Stage, TTL_SECONDS } from './stage.ts';

// Issuing by this checkout beside another, in turn, on one API server and one Redis.

const CALLERS = 16;
const ROUNDS = 36;
/** Short blocks, because the speed of the machine drifts; many, because an API server falls to half its speed now and then. */
const COUNT = 400;
const WARM_UP = 3000;
const TARGET = 0.97;

const SIDES = ['this', 'other'] as const;
type Side = (typeof SIDES)[number];

/** What a block of issues took. The processor time of the server depends less on what else the machine does. */
interface Block {
  perSecond: number;
  cpuMsPerLease: number;
}

const NOTHING: Block = { perSecond: Number.NaN, cpuMsPerLease: Number.NaN };

/** Prints the verdict and returns the row of the table. `LEASEHOLD_BENCH_CHECKOUT` names the other; unset: this one again. */
export async function benchBeside(stage: Stage, progress: (line: string) => void) {
  await using running = new AsyncDisposableStack();
  const servers = {
    this: await serve(stage, running, undefined),
    other: await serve(stage, running, OTHER_CHECKOUT),
  };
  const block = async (side: Side, count: number): Promise<Block> => {
    const { client, pid } = servers[side];
    const before = await cpuSeconds(pid);
    const issue = async () => void (await client.leases.issueLease({ config: CONFIG }));
    const perSecond = await rateOf(issue, CALLERS, count);
    const cpuMs = ((await cpuSeconds(pid)) - before) * 1000;
    await clear(stage);
    return { perSecond, cpuMsPerLease: cpuMs / count };
  };
  progress('warming up: a server runs for days, its first thousand calls are slower');
  for (const side of SIDES) {
    await block(side, WARM_UP);
  }
  const rounds: Record<Side, Block>[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const blocks: Partial<Record<Side, Block>> = {};
    for (const side of inTurn(SIDES, round)) {
      blocks[side] = await block(side, COUNT);
    }
    const { this: here = NOTHING, other = NOTHING } = blocks;
    rounds.push({ this: here, other });
    progress(`round ${round} of ${ROUNDS}: this ${shown(here)}, other ${shown(other)}`);
  }
  const ratios = rounds.map(({ this: here, other }) => here.perSecond / other.perSecond);
  const cpuRatios = rounds.map(({ this: here, other }) => here.cpuMsPerLease / other.cpuMsPerLease);
  const row = {
    'this, leases/s': Math.round(median(rounds.map((blocks) => blocks.this.perSecond))),
    'other, leases/s': Math.round(median(rounds.map((blocks) => blocks.other.perSecond))),
    'this / other': Number(median(ratios).toFixed(3)),
    'lower quartile': Number(percentile(ratios, 0.25).toFixed(3)),
    'upper quartile': Number(percentile(ratios, 0.75).toFixed(3)),
    'server CPU, this / other': Number(median(cpuRatios).toFixed(3)),
  };
  console.table([row]);
  const verdict = row['this / other'] >= TARGET ? 'reached' : 'not reached';
  console.log(`issuing: ${row['this / other']} of the other checkout; the target is ${TARGET}: ${verdict}`);
  return row;
}

function shown({ perSecond, cpuMsPerLease }: Block): string {
  return `${Math.round(perSecond)}/s, ${cpuMsPerLease.toFixed(2)} ms of CPU`;
}

/** What a process has taken of the processors (proc(5), utime and stime, of which a second has 100). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A server of that checkout, an installation of its own. */
async function serve(
  { redisUrl, cluster, token, namespace, role }: Stage,
  running: AsyncDisposableStack,
  checkout: string | undefined,
): Promise<{ client: LeaseholdClient; pid: number }> {
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
  return { client, pid: server.pid };
}
