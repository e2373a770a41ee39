import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { test } from 'vitest';
import type { NativeRedis } from '../servers/native-redis.ts';
import { startRestartableRedis } from '../servers/redis-server.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { seconds } from '../support/set-ups.ts';
import { crashBackTo, markNow } from './append-only-file.ts';
import { DYNAMIC, type Installation, openInstallation } from './installation.ts';
import { bringEndsNear } from './near-ends.ts';
import { BOUND_MS } from './patience.ts';
import { report, type Trial } from './report.ts';
import { openSite } from './site.ts';
import { startTraffic } from './traffic.ts';
import { judge, type Verdict } from './verdict.ts';

// The store dies, stands still, refuses writes, or forgets.

/** Longer than the leases of the traffic last. */
const OUTAGE_MS = 10_000;

const TTL = 3;

/** No lease ends before its fault: ends are moved near afterwards. */
const LONG = 1200;

/** An installation on a Redis of its own. */
async function onOwnRedis(
  fault: string,
  play: (installation: Installation, redis: NativeRedis) => Promise<Verdict>,
): Promise<Trial> {
  await using stack = new AsyncDisposableStack();
  const redis = await startRestartableRedis();
  stack.defer(() => redis.stop());
  const installation = stack.use(
    await openInstallation(await openSite({ redisUrl: redis.url }), { LEASEHOLD_REDIS_TIMEOUT: '2' }),
  );
  await installation.startWorker();
  return { fault, ...(await play(installation, redis)) };
}

/** In the midst of traffic the store is away for a time. */
async function outage(installation: Installation, away: () => Promise<void>): Promise<Verdict> {
  const traffic = startTraffic(installation, await installation.startServer(), TTL);
  await traffic.more(20);
  await away();
  const since = await timeOfReturn(installation);
  await sleep(1_000);
  await traffic.stop();
  return judge(installation, { since });
}

/** Connections to a Redis that is back come back a moment later. */
async function timeOfReturn({ ports }: Installation): Promise<number> {
  await eventually(() => ports.configs.get(DYNAMIC));
  return Date.now();
}

test.concurrent('Redis is killed and started again', async (context) => {
  await report(context, [
    onOwnRedis('Redis killed, started at once', (installation, redis) =>
      outage(installation, async () => {
        await redis.kill();
        await redis.start();
      }),
    ),
    onOwnRedis('Redis killed, started after 10 s', (installation, redis) =>
      outage(installation, async () => {
        await redis.kill();
        await sleep(OUTAGE_MS);
        await redis.start();
      }),
    ),
  ]);
});

test.concurrent('Redis stands still for 10 s', async (context) => {
  await report(context, [
    onOwnRedis('Redis stopped for 10 s', (installation, redis) =>
      outage(installation, async () => {
        redis.signal('SIGSTOP');
        await sleep(OUTAGE_MS);
        redis.signal('SIGCONT');
      }),
    ),
  ]);
});

/** In the midst of traffic Redis answers, and refuses to write. */
async function refusing(
  installation: Installation,
  { url }: NativeRedis,
  set: string,
  unset: string,
): Promise<Verdict> {
  const client = new Redis(url);
  try {
    return await outage(installation, async () => {
      await client.call(...words(set));
      await sleep(OUTAGE_MS);
      await client.call(...words(unset));
    });
  } finally {
    client.disconnect();
  }
}

function words(command: string): [string, ...string[]] {
  const [name = '', ...args] = command.split(' ');
  return [name, ...args];
}

test.concurrent('Redis refuses writes for 10 s', async (context) => {
  await report(context, [
    onOwnRedis('Redis at its memory limit for 10 s', (installation, redis) =>
      refusing(installation, redis, 'CONFIG SET maxmemory 1mb', 'CONFIG SET maxmemory 0'),
    ),
    onOwnRedis('Redis read-only for 10 s', (installation, redis) =>
      refusing(installation, redis, 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'),
    ),
    onOwnRedis('Redis without its replicas for 10 s', (installation, redis) =>
      refusing(installation, redis, 'CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-to-write 0'),
    ),
  ]);
});

/** Clocks may differ by so much (domain/orphan.ts): objects of unknown leases are left until then. */
const CLOCK_SKEW_MS = 60_000;

test.concurrent('Redis loses its last second of writes', async (context) => {
  const forgetting = (
    what: string,
    inLastSecond: (client: Awaited<ReturnType<Installation['startServer']>>, id: string) => Promise<unknown>,
  ) =>
    onOwnRedis(`Redis forgets its last second: ${what}`, async (installation, redis) => {
      const client = await installation.startServer();
      const before = await installation.issue(LONG);
      const mark = await markNow(redis);
      await inLastSecond(client, before.id);
      await crashBackTo(mark, redis);
      const since = await timeOfReturn(installation);
      await bringEndsNear(installation, { alarms: true });
      return judge(installation, { since, orphansWithinMs: CLOCK_SKEW_MS + BOUND_MS });
    });
  await report(context, [
    // Until then its objects are left, for they may be those of a lease that was restored.
    forgetting('an issued lease', (client) => issueBriefly(client, DYNAMIC, 1)),
    forgetting('a revocation', ({ leases }, id) => leases.revokeLease({ id })),
    forgetting('a renewal', ({ leases }, id) => leases.renewLease({ id, ttl: seconds(2 * LONG) })),
    forgetting('a batch revocation', async ({ leases }) => {
      for await (const _news of leases.batchRevokeLeases({ target: { $case: 'all', value: true } })) {
        // To the end.
      }
    }),
  ]);
});
