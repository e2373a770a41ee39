import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import type { Cluster, Purpose } from '../../src/shared/ports/cluster.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { freePort } from '../servers/free-port.ts';
import { type AnsweringServer, cert, key, startAnsweringServer } from '../support/answering-server.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENCE_MS, PATIENT_LIMITS } from '../support/patience.ts';
import { asTenant, type TenantOptions } from '../support/tenant.ts';

// Tenants of one cluster: what calls of one meet, or do, leaves the calls of another alone.

const LIMITS = { connections: 8, ...PATIENT_LIMITS };
const ACCOUNT = { namespace: 'team', name: 'reader' };
const SECRET_WORDS = 'quota of team-a: 7 of 9 pods';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const well: Answer = (_request, response) => response.end('{}');
let clusters: KubernetesClusters;
let server: AnsweringServer;
/** What a tenant is answered, where that is not well. */
let answers: Map<string, Answer>;
let requests: IncomingMessage[];
beforeEach(async () => {
  answers = new Map();
  requests = [];
  clusters = new KubernetesClusters(LIMITS, noGateways, testEgress, keepLog().log);
  const shown = {
    key,
    cert,
    // As a proxy does that routes by the name: an unknown one ends the handshake.
    SNICallback: (_name: string, done: (error: Error) => void) => done(new Error('unknown name')),
  };
  server = await startAnsweringServer((request, response) => {
    requests.push(request);
    (answers.get(tenantOf(request)) ?? well)(request, response);
  }, shown);
});
afterEach(async () => {
  server.stop();
  await clusters.close();
});

const tenantOf = ({ headers }: IncomingMessage) => headers.authorization?.replace('Bearer ', '') ?? '';
const requestsOf = (tenant: string) => requests.filter((request) => tenantOf(request) === tenant);

function tenant(name: string, options: Partial<TenantOptions> = {}): Cluster {
  return asTenant(clusters, name, { url: server.url, caPem: server.caPem, ...options });
}

/** The error of a call that fails. */
const outcome = (cluster: Cluster): Promise<unknown> => cluster.readServiceAccount(ACCOUNT).catch((error) => error);

async function repeat(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) {
    await work();
  }
}

/** So many calls at any time, until it is ended. */
function keepCalling(count: number, cluster: () => Cluster): { end(): Promise<unknown> } {
  let isOver = false;
  const callers = Array.from({ length: count }, async () => {
    while (!isOver) {
      await outcome(cluster());
      await setImmediate();
    }
  });
  return {
    end() {
      isOver = true;
      return Promise.all(callers);
    },
  };
}

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response
      .writeHead(code, headers)
      .end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', message: SECRET_WORDS, reason: '', code }));

const hang: Answer = () => undefined;

describe('what one access met', () => {
  test.each<[string, Answer, Partial<TenantOptions>]>([
    ['429 with Retry-After', status(429, { 'retry-after': '60' }), {}],
    ['503 with Retry-After', status(503, { 'retry-after': '60' }), {}],
    ['502 again and again', status(502), {}],
    ['429 without a time', status(429), {}],
    ['connections that break', (request) => request.socket.destroy(), {}],
    ['a draft with a nonsense server_name', well, { purpose: 'trial', serverName: 'nonsense.example' }],
    ['a draft whose calls break', (request) => request.socket.destroy(), { purpose: 'trial' }],
    ['a draft that is asked to wait', status(429, { 'retry-after': '60' }), { purpose: 'trial' }],
  ])('%s: neither rests another, nor is told to another', async (_, answer, options) => {
    answers.set('attacker', answer);
    await repeat(8, () => outcome(tenant('attacker', options)));

    for (const purpose of ['take-down', 'issue', 'question', 'trial'] as const) {
      expect(await outcome(tenant('victim', { purpose }))).toBeUndefined();
    }
  });

  test.each([
    ['failed', status(502)],
    ['was asked to wait', status(429, { 'retry-after': '60' })],
  ])('is not told in its words to those who use it later: it %s', async (_, answer) => {
    answers.set('shared', answer);
    await repeat(5, () => outcome(tenant('shared', { principal: 'one' })));

    const later = String(await outcome(tenant('shared', { principal: 'other' })));
    expect(later).toContain('is not called for now');
    expect(later).not.toContain('quota');
  });

  test('on trial does not count for the same access once it is stored', async () => {
    answers.set('config', status(502));
    await repeat(5, () => outcome(tenant('config', { purpose: 'trial' })));
    answers.delete('config');
    expect(await outcome(tenant('config'))).toBeUndefined();
  });
});

describe('one principal with very many calls', () => {
  test.each<[Purpose, Purpose]>([
    ['question', 'take-down'],
    ['question', 'issue'],
    ['question', 'question'],
    ['issue', 'take-down'],
    ['issue', 'issue'],
    ['trial', 'question'],
    ['take-down', 'take-down'],
  ])('for %s: each call of another for %s is made, on the same config, too', async (theirs, ours) => {
    answers.set('attacker', (_request, response) => setTimeout(() => response.end('{}'), 5));
    const flood = keepCalling(600, () => tenant('attacker', { purpose: theirs }));
    await vi.waitFor(() => expect(requestsOf('attacker').length).toBeGreaterThan(16), { timeout: PATIENCE_MS });

    const victims = [tenant('victim', { purpose: ours }), tenant('attacker', { purpose: ours, principal: 'victim' })];
    for (const victim of victims) {
      await repeat(12, async () => expect(await outcome(victim)).toBeUndefined());
    }
    await flood.end();
  });
});

describe('slow calls', () => {
  test.each<[string, Purpose, (i: number) => Partial<TenantOptions>]>([
    ['issues of one principal', 'issue', () => ({ principal: 'attacker' })],
    ['issues of many principals on one config', 'issue', (i) => ({ principal: `attacker-${i}` })],
    ['questions of many principals', 'question', (i) => ({ principal: `attacker-${i}` })],
    ['trials of many principals', 'trial', (i) => ({ principal: `attacker-${i}` })],
    ['take-downs of one principal', 'take-down', () => ({ principal: 'attacker' })],
  ])('%s leave turns for the issues and take-downs of others', async (_, purpose, optionsOf) => {
    answers.set('attacker', hang);
    const slow = Array.from({ length: 40 }, (_each, i) => outcome(tenant('attacker', { purpose, ...optionsOf(i) })));
    await vi.waitFor(() => expect(requestsOf('attacker')).not.toHaveLength(0), { timeout: PATIENCE_MS });

    expect(await outcome(tenant('victim', { purpose: 'issue' }))).toBeUndefined();
    expect(await outcome(tenant('victim', { purpose: 'take-down' }))).toBeUndefined();
    server.stop();
    await Promise.all(slow);
  });

  test('of all principals and configs leave turns for take-downs', async () => {
    const slow = Array.from({ length: 40 }, (_each, i) => {
      answers.set(`attacker-${i}`, hang);
      return outcome(tenant(`attacker-${i}`));
    });
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(6), { timeout: PATIENCE_MS });
    expect(await outcome(tenant('victim', { purpose: 'take-down' }))).toBeUndefined();
    server.stop();
    await Promise.all(slow);
  });
});

describe('however many other accesses are used', () => {
  const useOthers = (count: number, purpose: Purpose) => {
    for (let i = 0; i < count; i++) {
      tenant(`other-${i}`, { url: 'https://elsewhere.example', purpose });
    }
  };

  test.each<[number, Purpose]>([
    [3_000, 'trial'],
    [1_000, 'issue'],
  ])('%d for %s: an access keeps its connections', async (count, purpose) => {
    await outcome(tenant('victim'));
    useOthers(count, purpose);
    // The connection of the last call is free again a moment after its answer.
    await setImmediate();
    await outcome(tenant('victim'));
    const [before, after] = requestsOf('victim').map(({ socket }) => socket.remotePort);
    expect(after).toBe(before);
  });

  test.each<[number, Purpose]>([
    [3_000, 'trial'],
    [1_000, 'question'],
  ])('%d for %s: an access that rests goes on resting', async (count, purpose) => {
    answers.set('sick', status(502));
    await repeat(5, () => outcome(tenant('sick')));
    useOthers(count, purpose);
    expect(String(await outcome(tenant('sick')))).toContain('is not called for now');
  });

  test.each<[Purpose, number]>([
    ['issue', 7],
    ['question', 4],
    ['trial', 2],
  ])('calls for %s that are under way hold their turns at the cluster: %d at most', async (purpose, most) => {
    for (const name of ['before', 'after']) {
      answers.set(name, hang);
    }
    const callMany = (name: string) =>
      Array.from({ length: 40 }, (_, i) => outcome(tenant(name, { purpose, principal: `principal-${i}` })));
    const before = callMany('before');
    await vi.waitFor(() => expect(requests).not.toHaveLength(0), { timeout: PATIENCE_MS });
    useOthers(3_000, purpose === 'trial' ? 'trial' : 'issue');
    const after = [...callMany('after'), ...callMany('before')];

    // Were any of the others made, they would be seen before this one.
    expect(await outcome(tenant('victim', { purpose: 'take-down' }))).toBeUndefined();
    expect(requests.length).toBeLessThanOrEqual(most + 1);
    server.stop();
    await Promise.all([...before, ...after]);
  });
});

describe('the time of a cluster', () => {
  const anHourAhead = () => new Date(Date.now() + 3_600_000);
  const inAnHour: Answer = (_request, response) => {
    const issued = Math.floor(anHourAhead().getTime() / 1000);
    const claims = Buffer.from(JSON.stringify({ iat: issued })).toString('base64url');
    response.writeHead(201, { date: anHourAhead().toUTCString() }).end(
      JSON.stringify({
        status: { token: `e30.${claims}.e30`, expirationTimestamp: new Date((issued + 600) * 1000).toISOString() },
      }),
    );
  };

  test.each<[string, number, Partial<TenantOptions>]>([
    ['a draft', 0, { purpose: 'trial' }],
    ['a config that verifies it otherwise', 0, { caPem: `${cert}\n${cert}` }],
    ['a config that verifies it alike', 3_600, {}],
  ])('that %s was told counts for others by so many seconds: %d', async (_, seconds, options) => {
    answers.set('attacker', inAnHour);
    await tenant('attacker', options).mintToken(ACCOUNT, { audiences: [], seconds: 600 });
    const aheadMs = await tenant('victim').clockAheadMs();
    expect(Math.round(aheadMs / 10_000)).toBe(seconds / 10);
  });
});

describe('a cluster that cannot be reached', () => {
  const dead = async () => `https://127.0.0.1:${await freePort()}`;

  test('is given a rest for all once three configs agree, but take-downs are tried', async () => {
    const url = await dead();
    for (const name of ['a', 'b', 'c', 'a', 'b']) {
      expect(String(await outcome(tenant(name, { url })))).toContain('ECONNREFUSED');
    }
    expect(String(await outcome(tenant('victim', { url })))).toContain('several configs could not connect to it since');
    expect(String(await outcome(tenant('victim', { url, purpose: 'take-down' })))).toContain('ECONNREFUSED');
  });

  test.each<[string, Partial<TenantOptions>, string[]]>([
    ['one config', {}, ['a', 'a', 'a', 'a']],
    ['two configs', {}, ['a', 'b', 'a', 'b', 'a', 'b']],
    ['drafts', { purpose: 'trial' }, ['a', 'b', 'c', 'd', 'e', 'f']],
  ])('is called by others, by the word of %s', async (_, options, names) => {
    const url = await dead();
    for (const name of names) {
      await outcome(tenant(name, { url, ...options }));
    }
    expect(String(await outcome(tenant('victim', { url })))).toContain('ECONNREFUSED');
  });

  test('is called on by whom it has answered, though others cannot connect', async () => {
    expect(await outcome(tenant('victim'))).toBeUndefined();
    for (const name of ['a', 'b', 'c', 'a', 'b']) {
      await outcome(tenant(name, { serverName: 'nonsense.example' }));
    }
    expect(String(await outcome(tenant('d')))).toContain('several configs could not connect');
    expect(await outcome(tenant('victim'))).toBeUndefined();
    expect(await outcome(tenant('d'))).toBeUndefined();
  });
});
