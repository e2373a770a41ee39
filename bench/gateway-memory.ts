import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnsweringServer, startAnsweringServer } from '../test/support/answering-server.ts';
import type { LeaseholdClient } from '../test/support/leasehold.ts';
import type { LeaseholdProcess } from '../test/support/leasehold-process.ts';
import { type Access, directAccess } from '../test/support/set-ups.ts';
import { notApart } from '../test/support/transports/apart.ts';
import { openGatewayInstallation } from '../test/support/transports/gateway-installation.ts';
import { openGateway } from '../test/support/transports/open-gateway.ts';
import type { Stage } from './stage.ts';

const CALLS = 200;

/** Each CheckConfig of a static credential asks for two permissions at once. */
const CALLS_OF_A_CHECK = 2;

/** What the calls wait for: an agent keeps so many connections to its API server, and lets the other calls wait itself. */
const HELD_AT_LEAST = { gateway: 128, path: CALLS };

const POLL_MS = 100;

/** An API server that holds all calls until it is told to answer. */
interface HoldingServer extends AnsweringServer {
  readonly held: number;
  answerAll(): void;
}

async function startHoldingServer(): Promise<HoldingServer> {
  const held: ServerResponse[] = [];
  let isHolding = true;
  const answer = (response: ServerResponse) => {
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"status":{"allowed":true}}');
  };
  const server = await startAnsweringServer((request, response) => {
    request.resume();
    if (isHolding) {
      held.push(response);
    } else {
      answer(response);
    }
  });
  return {
    ...server,
    get held() {
      return held.length;
    },
    answerAll() {
      isHolding = false;
      held.forEach(answer);
    },
  };
}

/** Memory of a fresh agent: before any call, and while 200 calls are under way through it. */
export async function measureAgentMemory({ cluster, redisUrl }: Stage) {
  await using opened = new AsyncDisposableStack();
  const installation = opened.use(
    await openGatewayInstallation(notApart(cluster, redisUrl), {
      LEASEHOLD_CLUSTER_CONNECTIONS: `${CALLS}`,
      LEASEHOLD_CLUSTER_CALL_TIMEOUT: '60',
      LEASEHOLD_CLUSTER_CONNECT_TIMEOUT: '10',
    }),
  );
  const { client } = await installation.startServer();
  const rows = [];
  for (const mode of ['gateway', 'path'] as const) {
    const server = await startHoldingServer();
    const { name, agent } = await openGateway(installation, client, { cluster: server });
    const idle = await memoryOf(agent);
    const { value } = directAccess(server, 'a-token');
    const checks = check(
      client,
      mode === 'gateway'
        ? { $case: 'gateway', value: { name } }
        : { $case: 'direct', value: { ...value, gateway: name } },
    );
    while (server.held < HELD_AT_LEAST[mode]) {
      await Promise.race([sleep(POLL_MS), checks]);
    }
    const busy = await memoryOf(agent);
    server.answerAll();
    await checks;
    const after = await memoryOf(agent);
    server.stop();
    rows.push({
      mode,
      'idle, MiB': idle.now,
      [`${CALLS} calls held open, MiB`]: busy.now,
      'answered, MiB': after.now,
      'at most, MiB': after.atMost,
    });
  }
  return rows;
}

/** So many calls at once, and their answers. */
async function check({ configs }: LeaseholdClient, access: Access): Promise<void> {
  const ttl = { seconds: 600n };
  const config = {
    name: 'held',
    defaultTtl: ttl,
    maxTtl: ttl,
    access,
    credential: { $case: 'static', value: { namespace: 'default', serviceAccount: 'reader' } } as const,
  };
  await Promise.all(
    Array.from({ length: CALLS / CALLS_OF_A_CHECK }, () =>
      configs.checkConfig({ target: { $case: 'config', value: config } }),
    ),
  );
}

/** Resident memory as the kernel counts it (proc(5)): now, and the most that it ever was. */
async function memoryOf({ pid }: LeaseholdProcess): Promise<{ now: number; atMost: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const mib = (field: string) => Math.round(Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1]) / 1024);
  return { now: mib('VmRSS'), atMost: mib('VmHWM') };
}
