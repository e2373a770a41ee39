import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ApiDoor } from '../../src/gateway/api-door.ts';
import { CallsUnderWay } from '../../src/gateway/calls-under-way.ts';
import { InClusterToken } from '../../src/gateway/in-cluster-token.ts';
import { OwnApiServer } from '../../src/gateway/own-api-server.ts';
import type { Access } from '../../src/shared/domain/config.ts';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import { ownLabels } from '../../src/shared/domain/marks.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import type { GatewayDialer } from '../../src/shared/ports/gateway-dialer.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { freePort } from '../servers/free-port.ts';
import { startAnsweringServer } from '../support/answering-server.ts';
import { makeSelfSigned } from '../support/certificates.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { tunnelOf } from '../support/tunnel.ts';

// What an agent that does not reach its API server says of a creation: whether it may have taken effect.

const ACCOUNT = { namespace: 'team', name: 'leasehold-0193575a-7d1e-7aaa-8bbb-0123456789ab' };
const OBJECT: LeaseObject = { kind: 'ServiceAccount', ...ACCOUNT };
const MARKS = {
  labels: ownLabels('test'),
  annotations: { 'leasehold.dev/expires-at': '2030-01-01T00:00:00.000Z' },
};
const ACCESS: Access = { kind: 'gateway', id: 'access', configUid: 'config', gateway: { name: 'edge', uid: 'uid' } };

const folder = await mkdtemp(join(tmpdir(), 'leasehold-agent-'));
const tokenFile = join(folder, 'token');
await writeFile(tokenFile, 'token');
const breaking = await startAnsweringServer((request) => breaking.reset(request));
const ofAnotherCa = await startAnsweringServer((request) => ofAnotherCa.reset(request), await makeSelfSigned(true));
const withoutTls = createServer((socket: Socket) =>
  socket.on('error', () => {}).once('data', () => socket.resetAndDestroy()),
);
await once(withoutTls.listen(0, '127.0.0.1'), 'listening');
afterAll(async () => {
  breaking.stop();
  ofAnotherCa.stop();
  withoutTls.close();
  await rm(folder, { recursive: true });
});

async function createBehind(url: string): Promise<unknown> {
  const apiServer = new OwnApiServer({ url, ca: breaking.caPem, token: new InClusterToken(tokenFile) });
  const door = new ApiDoor(apiServer, new CallsUnderWay(), createLogger('test', 'silent'));
  const { opener } = tunnelOf({ accept: async () => (channel) => door.serve(channel) });
  const dialer: GatewayDialer = { dial: (_, __, timeoutMs) => opener.open({ kind: 'api-server' }, { timeoutMs }) };
  const limits = { connections: 4, connectTimeoutMs: 1_000, callTimeoutMs: 5_000 };
  const clusters = new KubernetesClusters(limits, dialer, testEgress, keepLog().log);
  const outcome = await clusters
    .at(ACCESS, ANY_USE)
    .create(OBJECT, ACCOUNT, MARKS)
    .catch((error: unknown) => error);
  await clusters.close();
  await apiServer.close();
  return outcome;
}

test.each([
  ['nobody listens there', async () => `https://127.0.0.1:${await freePort()}`, false],
  ['there is no such host', async () => 'https://nowhere.invalid', false],
  ['its certificate is of another CA', async () => ofAnotherCa.url, false],
  ['its certificate is of another name', async () => breaking.url.replace('127.0.0.1', 'localhost'), false],
  [
    'it breaks the TLS handshake off',
    async () => `https://127.0.0.1:${(withoutTls.address() as AddressInfo).port}`,
    false,
  ],
  ['the connection breaks in the midst of the call', async () => breaking.url, true],
])('%s', async (_, urlOf, effectUnknown) => {
  expect(await createBehind(await urlOf())).toMatchObject({
    effectUnknown,
    message: expect.stringContaining('the gateway cannot call its API server'),
  });
});
