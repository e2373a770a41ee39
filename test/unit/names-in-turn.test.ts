import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ClusterNotCalled } from '../../src/shared/domain/cluster-error.ts';
import type { DirectAccess } from '../../src/shared/domain/config.ts';
import type { Principal } from '../../src/shared/domain/principal.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { AllowedNetworks } from '../../src/shared/kubernetes/egress/allowed-networks.ts';
import { EgressGuard, type Resolve, resolverThreads } from '../../src/shared/kubernetes/egress/egress-guard.ts';
import { SourceTurns } from '../../src/shared/kubernetes/egress/source-turns.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { asWorkOf } from '../../src/shared/telemetry/current-caller.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { makeCa } from '../support/certificates.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';

// The system resolves names in few threads, and a name server that does not answer keeps one for long. Here there are four.

const THREADS = 4;
const NAME = 'cluster.test';
const ATTACKER: Principal = { kind: 'api-key', id: 'attacker', issuer: 'leasehold', groups: [] };
const VICTIM: Principal = { ...ATTACKER, id: 'victim' };

const ca = await makeCa();
const certificate = await ca.issue([NAME]);

/** Threads that resolve. Names under `silent.test` are never answered. */
class Threads {
  #free = THREADS;
  readonly #waiting: (() => void)[] = [];

  readonly resolve: Resolve = async (host) => {
    if (this.#free === 0) {
      await new Promise<void>((begin) => this.#waiting.push(begin));
    }
    this.#free -= 1;
    if (host.endsWith('.silent.test')) {
      await new Promise(() => undefined);
    }
    this.#free += 1;
    this.#waiting.shift()?.();
    return [{ address: '127.0.0.1', family: 4 }];
  };

  get free(): number {
    return this.#free;
  }
}

let stack: AsyncDisposableStack;
let threads: Threads;
let clusters: KubernetesClusters;
let port: number;
let dropConnections: () => void;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  threads = new Threads();
  const turns = new SourceTurns({ atOnce: THREADS, atOnceEach: 1, waiting: 256 });
  const egress = new EgressGuard(AllowedNetworks.parse('127.0.0.0/8'), threads.resolve, turns);
  const limits = { ...PATIENT_LIMITS, connections: 4, connectTimeoutMs: 2_000 };
  clusters = new KubernetesClusters(limits, noGateways, egress, keepLog().log);
  const server = createServer(certificate, (_, response) => void response.end('{}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  dropConnections = () => server.closeAllConnections();
  stack.defer(dropConnections);
  port = (server.address() as AddressInfo).port;
});
afterEach(() => stack.disposeAsync());

function accessTo(host: string): DirectAccess & { id: string; configUid: string } {
  return {
    kind: 'direct',
    gateway: undefined,
    id: host,
    configUid: host,
    url: `https://${host}:${port}`,
    tls: { caPem: ca.caPem, insecureSkipVerify: false, serverName: undefined },
    token: new Secret('token'),
    renewToken: false,
  };
}

/** Undefined: it was answered. */
async function call(host: string, caller: Principal, purpose = ANY_USE.purpose): Promise<unknown> {
  async function* work() {
    yield await clusters
      .at(accessTo(host), { ...ANY_USE, purpose })
      .readServiceAccount({ namespace: 'team', name: 'reader' })
      .catch((error: unknown) => error);
  }
  return (await asWorkOf(caller, work()).next()).value;
}

const silentNames = Array.from({ length: 16 }, (_, index) => `a${index}.silent.test`);

test('a caller whose names nobody answers for leaves threads to others', async () => {
  const names = [...silentNames, NAME];
  const attacks = names.map((host) => call(host, ATTACKER, 'trial'));
  await expect.poll(() => threads.free).toBeLessThan(THREADS);
  expect(await call(NAME, VICTIM)).toBeUndefined();
  expect(await Promise.all(attacks)).toEqual(names.map(() => expect.any(ClusterNotCalled)));
});

test('a name that was answered before is dialed at its last addresses where no thread is free', async () => {
  expect(await call(NAME, VICTIM)).toBeUndefined();
  dropConnections();
  // Of many, who together take every thread.
  const attacks = silentNames.map((host, index) => call(host, { ...ATTACKER, id: `attacker-${index}` }, 'trial'));
  await expect.poll(() => threads.free).toBe(0);
  await expect.poll(() => call(NAME, VICTIM)).toBeUndefined();
  await Promise.all(attacks);
});

test.each([
  [undefined, 2],
  ['32', 16],
  ['1', 1],
  ['', 1],
  ['0', 1],
  ['many', 1],
  ['-3', 1],
  ['9999', 512],
])('of UV_THREADPOOL_SIZE=%s, %i threads resolve names', (setting, threads) => {
  expect(resolverThreads(setting)).toBe(threads);
});
