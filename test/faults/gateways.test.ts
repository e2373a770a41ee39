import { setTimeout as sleep } from 'node:timers/promises';
import { Status } from 'nice-grpc';
import pLimit from 'p-limit';
import { beforeAll, expect, test } from 'vitest';
import { rejectionOf } from '../support/rejection.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { type BehindGateway, beginStorm, type Mode, openBehindGateway, type Wanted } from './behind-gateway.ts';
import { type Callers, startCallers } from './callers.ts';
import { DYNAMIC } from './installation.ts';
import { bringEndsNear } from './near-ends.ts';
import { report, type Trial } from './report.ts';
import { openSite, type Site } from './site.ts';
import { judge, liveLeases, toldEnd } from './verdict.ts';

// What stands between Leasehold and a private cluster dies, or falls silent: every lease that a caller was told of is
// known and taken down, and nothing else stays in the cluster.

/** Each has six processes or so. */
const limit = pLimit(2);

/** Far longer than the callers call: ends are moved near afterwards. */
const TTL = 1200;
const STORM = 200;
const AWAY_MS = 3_000;
const CUT_MS = 60_000;

/** Until a stream without a sign of life is given up (shared/tunnel/connection-options.ts), and a little. */
const UNNOTICED_MS = 16_000;

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

/** Of the leases that somebody was told of: how long after its end the last was taken down, or after `since`. */
async function latestEnd(behind: BehindGateway, since: number): Promise<string> {
  const ends = await Promise.all(
    behind.handedOut.map(async (told) => {
      const { endTime = Number.NaN } = (await behind.ports.leases.get(told.id)) ?? {};
      return endTime - Math.max(toldEnd(behind, told), since);
    }),
  );
  return (Math.max(...ends) / 1000).toFixed(1);
}

/** In the midst of issuing something dies, and callers go on. */
async function whileIssuing(
  fault: string,
  wanted: Wanted,
  disturb: (behind: BehindGateway, callers: Callers) => Promise<void>,
): Promise<Trial> {
  await using behind = await openBehindGateway(site, wanted);
  const callers = startCallers(behind.handedOut, behind.client, { config: DYNAMIC, ttlSeconds: TTL });
  await callers.more(50);
  await disturb(behind, callers);
  const since = Date.now();
  await callers.more(50);
  await callers.stop();
  await bringEndsNear(behind, { inMs: 1_000, alarms: true });
  for (const rejection of callers.refused) {
    expect(rejection).toMatchObject({ code: Status.UNAVAILABLE });
  }
  const verdict = await judge(behind, { since });
  const figures = {
    issued: behind.handedOut.length,
    refused: callers.refused.length,
    'longest without a lease, ms': Math.round(callers.longestSilenceMs()),
    'last one taken down after its end, s': await latestEnd(behind, 0),
  };
  return { fault, ...verdict, figures };
}

/** In the midst of 200 expiries something dies. */
async function whileExpiring(
  fault: string,
  wanted: Wanted,
  disturb: (behind: BehindGateway, figures: Record<string, number>) => Promise<void>,
): Promise<Trial> {
  await using behind = await openBehindGateway(site, wanted);
  await beginStorm(behind, STORM);
  const more = {};
  await disturb(behind, more);
  const since = Date.now();
  const live = (await liveLeases(behind)).length;
  const verdict = await judge(behind, { since });
  const figures = {
    leases: behind.handedOut.length,
    'live when it was over': live,
    'all gone after that, s': await latestEnd(behind, since),
    ...more,
  };
  return { fault, ...verdict, figures };
}

async function killAgent({ agents: [{ agent }] }: BehindGateway): Promise<void> {
  agent.kill('SIGKILL');
  await agent.exited;
}

/** No other agent is there: the same one is started again after some time. */
async function killAndStartAgent(behind: BehindGateway): Promise<void> {
  await killAgent(behind);
  await sleep(AWAY_MS);
  await behind.agents[0].home.start();
}

async function killServer({ servers: [{ process }] }: BehindGateway): Promise<void> {
  process.kill('SIGKILL');
  await process.exited;
}

const MODES: readonly Mode[] = ['gateway authentication', 'network path'];

test.concurrent.for(MODES)('the agent is killed in the midst of issuing: %s', async (mode, context) => {
  await report(context, [
    limit(() => whileIssuing(`${mode}: agent killed while issuing, one of two`, { mode, agents: 2 }, killAgent)),
    limit(() => whileIssuing(`${mode}: agent killed while issuing, the only one`, { mode }, killAndStartAgent)),
  ]);
});

test.concurrent.for(MODES)('the agent is killed in the midst of expiry: %s', async (mode, context) => {
  await report(context, [
    limit(() => whileExpiring(`${mode}: agent killed while 200 expire, one of two`, { mode, agents: 2 }, killAgent)),
    limit(() => whileExpiring(`${mode}: agent killed while 200 expire, the only one`, { mode }, killAndStartAgent)),
  ]);
});

test.concurrent('an agent stands still in the midst of issuing, beside another', async (context) => {
  const stopAgent = async ({ agents: [{ agent }] }: BehindGateway) => {
    agent.kill('SIGSTOP');
    await sleep(UNNOTICED_MS);
  };
  await report(
    context,
    MODES.map((mode) =>
      limit(() => whileIssuing(`${mode}: agent stopped while issuing, one of two`, { mode, agents: 2 }, stopAgent)),
    ),
  );
});

test.concurrent('the server that holds the stream is killed', async (context) => {
  const goElsewhere = async (behind: BehindGateway, callers: Callers) => {
    await killServer(behind);
    callers.moveTo(behind.servers[1]?.client ?? behind.client);
  };
  await report(context, [
    limit(() => whileIssuing('server that holds the stream killed while issuing', { servers: 2 }, goElsewhere)),
    limit(() => whileExpiring('server that holds the stream killed while 200 expire', { servers: 2 }, killServer)),
  ]);
});

test.concurrent('the stream is cut for a minute while 200 leases expire', async (context) => {
  let proxy: TcpProxy | undefined;
  const way: Wanted['way'] = async ({ relayAddress }) => {
    const { hostname, port } = new URL(`tcp://${relayAddress}`);
    proxy = await startTcpProxy({ hostname, port: Number(port) });
    return `127.0.0.1:${proxy.port}`;
  };
  const cut = async ({ client }: BehindGateway, figures: Record<string, number>) => {
    const refused = () => timed(() => rejectionOf(client.leases.issueLease({ config: DYNAMIC })));
    proxy?.goSilent();
    figures['a call was refused after, ms'] = await refused();
    await sleep(CUT_MS);
    figures['a minute later after, ms'] = await refused();
    proxy?.passAgain();
  };
  await report(context, [limit(() => whileExpiring('stream silent for 60 s while 200 expire', { way }, cut))]);
  proxy?.stop();
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round(performance.now() - begun);
}
