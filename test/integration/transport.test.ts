import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type ConnectionOptions, connect } from 'node:tls';
import { Client, type ServiceError } from '@grpc/grpc-js';
import { createChannel, createClient, Metadata, Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { LeaseServiceDefinition } from '../../src/gen/leasehold/v1/lease_service.ts';
import { startServer } from '../../src/server/start-server.ts';
import { readSettings } from '../../src/shared/settings.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeCa, type TestCa } from '../support/certificates.ts';
import { connectTo, type Leasehold, leaseholdEnvironment, startLeasehold } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { linesOf, makeSecureSite, type SecureSite } from '../support/secure-site.ts';
import { ADMIN_KEY, callersYaml, type Showing, secureChannel } from '../support/security.ts';

const CALLER = 'spiffe://example.org/caller';
const clientCa = await makeCa();
const serverCa = await makeCa();
const bearer = ADMIN_KEY.reveal();
const mine = { serverCa: serverCa.caPem };

let site: SecureSite;
let leasehold: Leasehold;
beforeAll(async () => {
  site = await makeSecureSite(
    await serverCa.issue(),
    clientCa.caPem,
    callersYaml({ certificates: { trustDomains: ['example.org'] }, groups: { admins: [CALLER] } }),
  );
  leasehold = await startLeasehold(inject('redisUrl'), site.environment);
});
afterAll(async () => {
  await leasehold.stop();
  await site.remove();
});

/** Calls once, on a connection of its own. */
async function call(showing: Showing, { address } = leasehold, metadata = Metadata()): Promise<unknown> {
  const client = connectTo(address, { ...mine, ...showing });
  try {
    return await client.leases.listLeases({}, { metadata });
  } finally {
    client.close();
  }
}

/** What a server says that may not start. */
async function startUpError(settings: Record<string, string>): Promise<string> {
  const { LEASEHOLD_TLS_CERT: _, LEASEHOLD_TLS_KEY: __, ...clear } = leaseholdEnvironment(inject('redisUrl'), settings);
  const failure = await startServer(readSettings(clear), createLogger('test', 'silent')).catch((error: Error) => error);
  return failure instanceof Error ? failure.message : 'it serves';
}

test('without TLS a server does not start, unless it is told to serve in the clear', async () => {
  expect(await startUpError({})).toContain('needs LEASEHOLD_TLS_CERT and LEASEHOLD_TLS_KEY');
  const everywhere = { LEASEHOLD_LISTEN: '0.0.0.0:0' };
  expect(await startUpError({ ...everywhere, LEASEHOLD_PLAINTEXT: 'loopback' })).toContain('not loopback');
  expect(await startUpError({ ...everywhere, LEASEHOLD_PLAINTEXT: 'anywhere' })).toContain(
    'LEASEHOLD_PLAINTEXT_CONFIRMED=i-accept-that-tokens-travel-in-the-clear',
  );
});

test.each([
  ['loopback', { LEASEHOLD_PLAINTEXT: 'loopback' }],
  [
    'everywhere, said twice,',
    {
      LEASEHOLD_LISTEN: '0.0.0.0:0',
      LEASEHOLD_PLAINTEXT: 'anywhere',
      LEASEHOLD_PLAINTEXT_CONFIRMED: 'i-accept-that-tokens-travel-in-the-clear',
    },
  ],
])('in the clear on %s it asks who calls, and shouts', async (_name, settings) => {
  const { LEASEHOLD_TLS_CERT: _, LEASEHOLD_TLS_KEY: __, ...clear } = leaseholdEnvironment(inject('redisUrl'), settings);
  const logs: string[] = [];
  const log = createLogger('test', 'info', { write: (line: string) => void logs.push(line) });
  const server = await startServer(readSettings(clear), log);
  const channel = createChannel(server.address.replace('0.0.0.0', '127.0.0.1'));
  const leases = createClient(LeaseServiceDefinition, channel);
  const { cert } = await clientCa.issueClient({ uris: [CALLER] });
  const chain = { 'leasehold-peer-bin': new X509Certificate(cert).raw };

  expect(await rejectionOf(leases.listLeases({}))).toMatchObject({ code: Status.UNAUTHENTICATED });
  expect(await rejectionOf(leases.listLeases({}, { metadata: Metadata(chain) }))).toMatchObject({
    code: Status.UNAUTHENTICATED,
  });
  await leases.listLeases({}, { metadata: Metadata({ authorization: `Bearer ${bearer}` }) });
  expect(linesOf(logs)).toContainEqual(
    expect.objectContaining({ level: 40, msg: expect.stringContaining('in the clear') }),
  );
  channel.close();
  await server.stop();
});

test('a server without a callers file does not start', async () => {
  const { LEASEHOLD_CALLERS: _, ...environment } = leaseholdEnvironment(inject('redisUrl'));
  await expect(startServer(readSettings(environment), createLogger('test', 'silent'))).rejects.toThrow(
    'needs LEASEHOLD_CALLERS',
  );
});

test('who speaks in the clear to a server with TLS is not answered', async () => {
  const channel = createChannel(leasehold.address);
  const leases = createClient(LeaseServiceDefinition, channel);
  const metadata = Metadata({ authorization: `Bearer ${bearer}` });
  expect(await rejectionOf(leases.listLeases({}, { metadata }))).toMatchObject({ code: Status.UNAVAILABLE });
  channel.close();
});

/** The protocol and suite of a connection, or why there is none. */
async function handshake(options: ConnectionOptions): Promise<string> {
  const [host = '', port] = leasehold.address.split(':');
  const socket = connect({ host, port: Number(port), ca: serverCa.caPem, ALPNProtocols: ['h2'], ...options });
  try {
    await once(socket, 'secureConnect');
    return `${socket.getProtocol()} ${socket.getCipher().name}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

test.each<[string, ConnectionOptions, RegExp]>([
  ['TLS 1.3', {}, /^TLSv1.3 TLS_/],
  ['TLS 1.2 with an AEAD suite', { maxVersion: 'TLSv1.2' }, /^TLSv1.2 ECDHE-ECDSA-AES/],
  [
    'TLS 1.1',
    { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
    /PROTOCOL_VERSION|INTERNAL_ERROR|NO_PROTOCOLS/,
  ],
  ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }, /HANDSHAKE_FAILURE/],
  ['CBC with SHA-256', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }, /HANDSHAKE_FAILURE/],
  ['no forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }, /HANDSHAKE_FAILURE/],
])('with %s the server answers as it should', async (_name, options, outcome) => {
  expect(await handshake(options)).toMatch(outcome);
});

test('a call without credentials is refused, and says how to show some; an audit event names where it came from', async () => {
  const refusal = await rejectionOf(call({}));
  expect(refusal).toMatchObject({
    code: Status.UNAUTHENTICATED,
    reason: 'CREDENTIALS_MISSING',
    message: expect.stringContaining('authorization: Bearer'),
  });
  expect(linesOf(leasehold.logs)).toContainEqual(
    expect.objectContaining({
      level: 30,
      msg: 'audit',
      audit: {
        action: 'ListLeases',
        sourceIp: '127.0.0.1',
        transport: 'tls',
        code: 'UNAUTHENTICATED',
        reason: 'CREDENTIALS_MISSING',
        why: refusal.message,
      },
    }),
  );
});

test('a wrong credential is in no log', async () => {
  const wrong = `${bearer.slice(0, -4)}AAAA`;
  expect(await rejectionOf(call({ bearer: wrong }))).toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  expect(leasehold.logs.join()).not.toContain(wrong.slice(-20));
});

test.each(['Basic YTpi', 'Bearer', 'Bearer a b', 'bearer'])('`authorization: %s` is none', async (authorization) => {
  expect(await rejectionOf(call({}, leasehold, Metadata({ authorization })))).toMatchObject({
    code: Status.UNAUTHENTICATED,
    reason: 'CREDENTIALS_INVALID',
  });
});

/** What the reflection service answers to list_services; or the code with which it refuses. */
async function listServices(showing: Showing): Promise<string | number> {
  const { credentials, options } = secureChannel({ ...mine, ...showing });
  const client = new Client(leasehold.address, credentials, options);
  const asIs = (message: Buffer) => message;
  const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', asIs, asIs);
  const answer = new Promise<string | number>((resolve) => {
    call.on('data', (message: Buffer) => resolve(String(message)));
    call.on('error', ({ code }: ServiceError) => resolve(code));
  });
  // ServerReflectionRequest { list_services: "" }
  call.end(Buffer.from([0x3a, 0x00]));
  return answer.finally(() => client.close());
}

test('reflection is for callers, whatever they may do', async () => {
  expect(await listServices({})).toBe(Status.UNAUTHENTICATED);
  expect(await listServices({ bearer })).toContain(LeaseServiceDefinition.fullName);
});

const certified = async (ca: TestCa, uris = [CALLER]) => ({ certificate: await ca.issueClient({ uris }) });

test('a client certificate is its caller', async () => {
  const { certificate } = await certified(clientCa);
  await call({ certificate });
  const client = connectTo(leasehold.address, { ...mine, certificate });
  await rejectionOf(client.leases.getLease({ id: '00000000-0000-7000-8000-000000000000' }));
  client.close();
  expect(linesOf(leasehold.logs)).toContainEqual(
    expect.objectContaining({
      msg: 'call refused',
      principal: { kind: 'certificate', id: CALLER, issuer: 'example.org', groups: ['admins'], groupCount: 1 },
    }),
  );
});

test('one of a CA below counts by the chain that comes with it', async () => {
  const below = await (await clientCa.issueCa()).issueCa();
  await call(await certified(below));
});

test('one of another CA, of no use for clients, or expired is no certificate', async () => {
  const missing = { code: Status.UNAUTHENTICATED, reason: 'CREDENTIALS_MISSING' };
  expect(await rejectionOf(call(await certified(await makeCa())))).toMatchObject(missing);
  expect(await rejectionOf(call({ certificate: await clientCa.issue(['client']) }))).toMatchObject(missing);
  const notAfter = new Date(Date.now() - 1_000);
  const notBefore = new Date(Date.now() - 60_000);
  const expired = await clientCa.issueClient({ uris: [CALLER], notBefore, notAfter });
  expect(await rejectionOf(call({ certificate: expired }))).toMatchObject(missing);
  await call({ certificate: expired, bearer });
});

test('nobody can say that he showed a certificate', async () => {
  const { cert } = await clientCa.issueClient({ uris: [CALLER] });
  const chain = Metadata({ 'leasehold-peer-bin': new X509Certificate(cert).raw });
  expect(await rejectionOf(call({}, leasehold, chain))).toMatchObject({ reason: 'CREDENTIALS_MISSING' });
});

test('where client certificates are required, nothing else gets a connection', async () => {
  const strict = await startLeasehold(inject('redisUrl'), {
    ...site.environment,
    LEASEHOLD_REQUIRE_CLIENT_CERT: 'true',
  });
  const ofMesh = await clientCa.issueClient({ uris: ['spiffe://mesh.example/workload'] });
  await call({ certificate: ofMesh, bearer }, strict);
  await call(await certified(clientCa), strict);
  const refused = { code: Status.UNAVAILABLE };
  expect(await rejectionOf(call({ bearer }, strict))).toMatchObject(refused);
  expect(await rejectionOf(call({ ...(await certified(await makeCa())), bearer }, strict))).toMatchObject(refused);
  await strict.stop();
});
