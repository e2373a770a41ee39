import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { makeCa, type TestCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewaySite, makeGatewaySite } from '../support/gateway-site.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../support/leasehold-process.ts';
import { answersIn, exchange, requestText } from '../support/raw-exchange.ts';
import { type Relay, startRelay } from '../support/relay.ts';

// The agent as a process, between a relay and an API server of the test's own.

const VERSION = requestText('GET /version HTTP/1.1', ['Accept: application/json', 'Connection: close']);

let ca: TestCa;
let apiServer: AnsweringServer;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let relay: Relay;
let site: GatewaySite;
const agents: LeaseholdProcess[] = [];

beforeAll(async () => {
  ca = await makeCa();
  apiServer = await startAnsweringServer((request, response) => answer(request, response));
  relay = await startRelay(await ca.issue());
});

afterEach(async () => {
  for (const agent of agents.splice(0)) {
    agent.kill('SIGKILL');
    await agent.exited;
  }
  await relay.attached(0);
  relay.isOpen = true;
  relay.enrolments.length = 0;
  await site.remove();
});

afterAll(() => {
  relay.stop();
  apiServer.stop();
});

async function startAgent(overrides: Record<string, string> = {}): Promise<LeaseholdProcess> {
  answer = (_request, response) => void response.end('{}');
  site = await makeGatewaySite({
    servers: relay.address,
    serverCaPem: ca.caPem,
    enrolmentToken: 'once',
    apiServer,
    token: 'first-token',
  });
  return spawnAgent(overrides);
}

function spawnAgent(overrides: Record<string, string> = {}): LeaseholdProcess {
  const agent = spawnLeasehold('gateway', { ...site.environment, ...overrides });
  agents.push(agent);
  return agent;
}

async function attachedAgent() {
  const [agent] = await relay.attached();
  if (!agent) {
    throw new Error('no agent');
  }
  return agent;
}

const openDoor = async () => (await attachedAgent()).multiplexer.open({ kind: 'api-server' }, { timeoutMs: 5_000 });

async function askVersion() {
  const [first] = answersIn(await exchange(await openDoor(), VERSION));
  return first;
}

test('it enrols once, and comes back as the same identity and another instance', async () => {
  const first = await startAgent();
  await first.logged('attached');
  const { hello } = await attachedAgent();
  expect(hello.version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(await first.stop()).toBe(0);
  await relay.attached(0);

  const { LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: _, ...withoutToken } = site.environment;
  agents.push(spawnLeasehold('gateway', withoutToken));
  const again = (await attachedAgent()).hello;
  expect(again.identityId).toBe(hello.identityId);
  expect(again.instanceId).not.toBe(hello.instanceId);
  expect(relay.enrolments).toEqual(['once']);
});

test('`enrol` enrols and ends, also where it was done before', async () => {
  site = await makeGatewaySite({
    servers: `127.0.0.1:1,${relay.address}`,
    serverCaPem: ca.caPem,
    enrolmentToken: 'once',
    apiServer,
    token: 'first-token',
  });
  for (const message of ['enrolled', 'enrolled already']) {
    const agent = spawnLeasehold('gateway', site.environment, { args: ['enrol'] });
    agents.push(agent);
    expect(await agent.exited).toBe(0);
    expect(agent.logs.map(({ msg }) => msg)).toContain(message);
  }
  expect(relay.enrolments).toEqual(['once']);
  expect(await readFile(site.identityFile, 'utf8')).toContain('PRIVATE KEY');
});

test('an enrolment that is refused says what to do, and is not repeated at once', async () => {
  relay.isOpen = false;
  const agent = await startAgent();
  const { level, msg } = await agent.logged(
    'Leasehold refuses the enrolment token: it is used, expired or void. Start the agent with another, from CreateEnrolmentToken',
  );
  expect([level, msg]).toEqual([50, expect.any(String)]);
  expect(relay.enrolments).toEqual(['once']);
});

test('an identity that is refused says what to do', async () => {
  const agent = await startAgent();
  const { end } = await attachedAgent();
  relay.isOpen = false;
  end(new Error('the gateway was deleted'));
  await eventually(async () => {
    expect(agent.logs.find(({ msg }) => msg.startsWith('Leasehold refuses the identity'))).toMatchObject({ level: 50 });
  });
});

test('a stream that is lost is soon there again', async () => {
  const agent = await startAgent();
  const { end, over } = await attachedAgent();
  end(new Error('the server stops'));
  await over;
  await attachedAgent();
  await agent.logged('detached; will attach again');
  await askVersion();
});

test('the next server is tried where one is away', async () => {
  const agent = await startAgent({ LEASEHOLD_GATEWAY_SERVERS: `127.0.0.1:1,${relay.address}` });
  await agent.logged('could not attach; will try again');
  expect(await agent.logged('attached')).toMatchObject({ server: relay.address, gateway: 'test' });
});

test('a server that another CA vouches for is not spoken with', async () => {
  const other = await makeCa();
  const foreign = await startRelay(await other.issue());
  const agent = await startAgent({ LEASEHOLD_GATEWAY_SERVERS: foreign.address });
  await agent.logged('could not attach; will try again');
  expect(foreign.enrolments).toEqual([]);
  foreign.stop();
});

test('a token that was rotated is read again at once where the old one is refused', async () => {
  await startAgent();
  const tokens: (string | undefined)[] = [];
  answer = ({ headers }, response) => {
    tokens.push(headers.authorization);
    response.writeHead(headers.authorization === 'Bearer second-token' ? 200 : 401).end('{}');
  };
  expect(await askVersion()).toMatchObject({ status: 401 });
  await site.rotateToken('second-token\n');
  expect(await askVersion()).toMatchObject({ status: 200 });
  expect(tokens).toEqual(['Bearer first-token', 'Bearer first-token', 'Bearer second-token']);
});

test.each<[what: string, status: number, (response: ServerResponse) => void]>([
  ['too large', 502, (response) => response.end('x'.repeat(4 * 1024 * 1024 + 1))],
  ['broken off', 503, (response) => response.destroy()],
  ['none of HTTP', 503, (response) => response.socket?.end('nonsense')],
])('an answer that is %s becomes one of the gateway’s own', async (_what, status, respond) => {
  await startAgent();
  answer = (_request, response) => respond(response);
  const own = await askVersion();
  expect(own).toMatchObject({ status, body: { kind: 'Status', status: 'Failure', code: status } });
  expect(own?.body).not.toHaveProperty('details');
});

test('a channel that is given up ends the call at the API server', async () => {
  await startAgent();
  const cancelled = new Promise<void>((resolve) => {
    answer = (_request, response) => void response.on('close', resolve);
  });
  const arrived = new Promise<void>((resolve) => {
    const wait = answer;
    answer = (request, response) => {
      wait(request, response);
      resolve();
    };
  });
  const channel = await openDoor();
  channel.write(VERSION);
  await arrived;
  channel.destroy();
  await cancelled;
});

test('one slow call holds up no other, on no channel', async () => {
  await startAgent();
  let finishSlow: (() => void) | undefined;
  answer = (request, response) => {
    if (request.url?.endsWith('/slow')) {
      finishSlow = () => void response.end('{"slow":true}');
    } else {
      response.end('{}');
    }
  };
  const slow = exchange(
    await openDoor(),
    VERSION.replace('/version', '/api/v1/namespaces/team-a/serviceaccounts/slow'),
  );
  await Promise.all(Array.from({ length: 20 }, async () => expect(await askVersion()).toMatchObject({ status: 200 })));
  finishSlow?.();
  expect(answersIn(await slow)).toMatchObject([{ body: { slow: true } }]);
});

test('an agent that stops lets the call under way end, and takes no new channel', async () => {
  const agent = await startAgent();
  let finish: (() => void) | undefined;
  const arrived = new Promise<void>((resolve) => {
    answer = (_request, response) => {
      // Large: it does not fit into what a stream takes at once.
      finish = () => void response.end(JSON.stringify({ late: 'x'.repeat(500_000) }));
      resolve();
    };
  });
  const late = exchange(await openDoor(), VERSION);
  const { multiplexer } = await attachedAgent();
  await arrived;
  const exited = agent.stop();
  await agent.logged('stopping');
  await expect(multiplexer.open({ kind: 'api-server' }, { timeoutMs: 5_000 })).rejects.toMatchObject({
    reason: 'not-attached',
  });
  finish?.();
  expect(answersIn(await late)).toMatchObject([{ status: 200, body: { late: expect.stringMatching(/^x{500000}$/) } }]);
  expect(await exited).toBe(0);
});

test('a network path leads to the API server, with TLS end to end', async () => {
  const agent = await startAgent();
  const { multiplexer } = await attachedAgent();
  const address = new URL(apiServer.url).host;
  const channel = await multiplexer.open({ kind: 'address', address }, { timeoutMs: 5_000 });
  const socket = connect({ socket: channel, ca: apiServer.caPem, host: '127.0.0.1' });
  await once(socket, 'secureConnect');
  answer = ({ headers }, response) => void response.end(JSON.stringify({ saw: headers.authorization }));
  const own = requestText('GET /anything HTTP/1.1', ['Authorization: Bearer of-the-config', 'Connection: close']);
  expect(await exchange(socket, own)).toContain('{"saw":"Bearer of-the-config"}');
  // The connection is over, and holds up no end.
  expect(await agent.stop()).toBe(0);
});

test('a target that cannot be reached is told apart from one that may not be', async () => {
  await startAgent({ LEASEHOLD_GATEWAY_TARGETS: '127.0.0.1:1' });
  const { multiplexer } = await attachedAgent();
  const unreachable = { kind: 'address', address: '127.0.0.1:1' } as const;
  await expect(multiplexer.open(unreachable, { timeoutMs: 5_000 })).rejects.toMatchObject({ reason: 'unreachable' });
  const refused = { kind: 'address', address: new URL(apiServer.url).host } as const;
  await expect(multiplexer.open(refused, { timeoutMs: 5_000 })).rejects.toMatchObject({ reason: 'refused' });
});
