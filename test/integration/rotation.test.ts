import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:tls';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { bundle, type Certificate, makeCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { inTime, TooSlow } from '../support/in-time.ts';
import { connectTo, type Leasehold, startLeasehold } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { linesOf, makeSecureSite, reloading, type SecureSite } from '../support/secure-site.ts';
import { apiKeyEntry, callersYaml, type Showing } from '../support/security.ts';
import { makeTokenIssuer } from '../support/token-issuer.ts';
import { startTraffic, type Traffic } from '../support/traffic.ts';

// Everything that callers and server show each other is replaced while callers call. No call of theirs fails, and none with
// what was taken away is accepted after the reload, on connections of before neither.

const ISSUER = 'https://issuer.test';
const CALLER = 'spiffe://example.org/caller';
const [serverCa, newServerCa, clientCa, newClientCa] = await Promise.all([makeCa(), makeCa(), makeCa(), makeCa()]);
const [signer, newSigner] = [makeTokenIssuer(ISSUER), makeTokenIssuer(ISSUER)];
const [apiKey, newApiKey] = [makeApiKey('ci'), makeApiKey('ci')];

const callers = (...keys: (typeof apiKey)[]) =>
  callersYaml(
    {
      certificates: { trustDomains: ['example.org'] },
      jwt: [{ issuer: ISSUER, audiences: ['leasehold'], jwks: { file: 'jwks.json' } }],
      groups: { admins: [CALLER, `jwt:${ISSUER}#alice`] },
    },
    keys.map((key) => apiKeyEntry(key, 'ci', ['admins'])),
  );

/** Callers know both CAs of the server from the start. */
const trust = { serverCa: bundle(serverCa.caPem, newServerCa.caPem) };

/** What the callers show at each moment. */
const shown = {
  token: await signer.token(),
  apiKey: apiKey.reveal(),
};

let site: SecureSite;
let leasehold: Leasehold;
let traffic: Traffic[];

beforeAll(async () => {
  site = await makeSecureSite(await serverCa.issue(), clientCa.caPem, callers(apiKey));
  await site.write('jwks.json', JSON.stringify(signer.jwks));
  leasehold = await startLeasehold(inject('redisUrl'), { ...site.environment, LEASEHOLD_LOG_LEVEL: 'info' });
  const certificate = await clientCa.issueClient({ uris: [CALLER] });
  const ofCaBelow = await (await clientCa.issueCa()).issueClient({ uris: [CALLER] });
  traffic = [
    startTraffic(leasehold.address, { ...trust, bearer: () => shown.token }),
    startTraffic(leasehold.address, { ...trust, bearer: () => shown.apiKey }),
    startTraffic(leasehold.address, { ...trust, certificate }),
    startTraffic(leasehold.address, { ...trust, certificate: ofCaBelow }),
  ];
});
afterAll(async () => {
  await leasehold.stop();
  await site.remove();
});

/** All callers go on, and none of their calls has failed. */
async function expectNoCallDropped(): Promise<void> {
  await Promise.all(traffic.map((one) => one.goesOn()));
  expect(traffic.flatMap(({ failures }) => failures)).toEqual([]);
}

/** A caller with a connection that is there already. */
async function connected(showing: Showing) {
  const client = connectTo(leasehold.address, { ...trust, ...showing });
  await client.leases.listLeases({});
  return client;
}

/** How a call with these is refused on a new connection. */
async function refusalOf(showing: Showing) {
  const client = connectTo(leasehold.address, { ...trust, ...showing });
  const rejection = await rejectionOf(client.leases.listLeases({}));
  client.close();
  return rejection;
}

async function certificateOfServer(): Promise<string> {
  const [host = '', port] = leasehold.address.split(':');
  const socket = connect({ host, port: Number(port), ALPNProtocols: ['h2'], rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** A connection of a client that does not care what the server wants: it calls on it whenever it likes. */
async function heldConnection({ cert, key }: Certificate) {
  const session = connectHttp2(`https://${leasehold.address}`, { cert, key, ca: trust.serverCa });
  await once(session, 'connect');
  return {
    /** The gRPC status, or the HTTP/2 code with which the call was given back. */
    async call(): Promise<string> {
      const headers = { 'content-type': 'application/grpc', te: 'trailers' };
      const stream = session.request({
        ':method': 'POST',
        ':path': '/leasehold.v1.LeaseService/ListLeases',
        ...headers,
      });
      let status: unknown;
      stream.on('response', (response) => (status ??= response['grpc-status']));
      stream.on('trailers', (trailers) => (status ??= trailers['grpc-status']));
      stream.on('error', () => undefined);
      // An empty message.
      stream.resume().end(Buffer.alloc(5));
      await new Promise((resolve) => stream.once('close', resolve));
      return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? 'REFUSED_STREAM' : `status ${status}`;
    },
    close: () => session.destroy(),
  };
}

const unauthenticated = (reason: string) => ({ code: Status.UNAUTHENTICATED, reason });

test('the certificate of the server', async () => {
  const before = await certificateOfServer();
  const renewed = await newServerCa.issue();
  await reloading(leasehold.logs, 'the certificate of the server', () => site.writeServer(renewed));
  expect(await certificateOfServer()).not.toBe(before);
  await expectNoCallDropped();
});

test('a certificate of the server that is no good is shouted about, and the one of before stays', async () => {
  const before = await certificateOfServer();
  const good = await newServerCa.issue();
  const shouts = () => linesOf(leasehold.logs).filter(({ msg }) => msg.startsWith('not reloaded'));
  await site.write('server.pem', good.cert);
  await eventually(async () => expect(shouts()).toMatchObject([{ level: 50, what: 'the certificate of the server' }]));
  expect(await certificateOfServer()).toBe(before);
  await expectNoCallDropped();
  await reloading(leasehold.logs, 'the certificate of the server', () => site.writeServer(good));
  expect(await certificateOfServer()).not.toBe(before);
});

test('the keys of an issuer', async () => {
  const old = shown.token;
  const client = await connected({ bearer: old });
  await reloading(leasehold.logs, 'a JSON Web Key Set', () =>
    site.write('jwks.json', JSON.stringify({ keys: [...signer.jwks.keys, ...newSigner.jwks.keys] })),
  );
  shown.token = await newSigner.token();
  await expectNoCallDropped();
  await reloading(leasehold.logs, 'a JSON Web Key Set', () => site.write('jwks.json', JSON.stringify(newSigner.jwks)));
  expect(await rejectionOf(client.leases.listLeases({}))).toMatchObject(unauthenticated('CREDENTIALS_INVALID'));
  expect(await refusalOf({ bearer: old })).toMatchObject(unauthenticated('CREDENTIALS_INVALID'));
  client.close();
  await expectNoCallDropped();
});

test('API keys', async () => {
  const old = shown.apiKey;
  const client = await connected({ bearer: old });
  await reloading(leasehold.logs, 'callers', () => site.write('callers.yaml', callers(apiKey, newApiKey)));
  shown.apiKey = newApiKey.reveal();
  await expectNoCallDropped();
  await reloading(leasehold.logs, 'callers', () => site.write('callers.yaml', callers(newApiKey)));
  expect(await rejectionOf(client.leases.listLeases({}))).toMatchObject(unauthenticated('CREDENTIALS_INVALID'));
  expect(await refusalOf({ bearer: old })).toMatchObject(unauthenticated('CREDENTIALS_INVALID'));
  client.close();
  await expectNoCallDropped();
});

test('client certificates and their CA', async () => {
  const old = await clientCa.issueClient({ uris: [CALLER] });
  const client = await connected({ certificate: old });
  const held = await heldConnection(old);
  await reloading(leasehold.logs, 'the CAs of client certificates', () =>
    site.write('client-ca.pem', bundle(clientCa.caPem, newClientCa.caPem)),
  );
  // A caller whose certificate is renewed connects anew with it, and goes on on the old connection until then.
  traffic.push(
    startTraffic(leasehold.address, { ...trust, certificate: await newClientCa.issueClient({ uris: [CALLER] }) }),
  );
  await expectNoCallDropped();
  const byOldCa = traffic.splice(2, 2);
  await Promise.all(byOldCa.map((one) => one.stop()));
  expect(byOldCa.flatMap(({ failures }) => failures)).toEqual([]);

  await reloading(leasehold.logs, 'the CAs of client certificates', () =>
    site.write('client-ca.pem', newClientCa.caPem),
  );
  // The connection of before is closed; on a new one it is no certificate.
  expect(await rejectionOf(client.leases.listLeases({}))).toMatchObject(unauthenticated('CREDENTIALS_MISSING'));
  expect(await refusalOf({ certificate: old })).toMatchObject(unauthenticated('CREDENTIALS_MISSING'));
  expect(await held.call()).toBe('REFUSED_STREAM');
  held.close();
  client.close();
  await expectNoCallDropped();
});

/** A caller and a connection that is held, by a certificate that expires soon. */
async function connectedFor(lifeSeconds: number) {
  const notAfter = new Date(Date.now() + lifeSeconds * 1000);
  const certificate = await newClientCa.issueClient({ uris: [CALLER], notAfter });
  const client = connectTo(leasehold.address, { ...trust, certificate });
  const outcome = await client.leases.listLeases({}).catch((error: unknown) => error);
  const held = await heldConnection(certificate);
  // Certificates expire on whole seconds.
  if (Date.now() >= notAfter.getTime() - 1000) {
    client.close();
    held.close();
    throw new TooSlow('the certificate expired before it was used');
  }
  expect(outcome).not.toBeInstanceOf(Error);
  return { client, held, notAfter };
}

test('a client certificate that expires is refused on its old connection, too', async () => {
  const { client, held, notAfter } = await inTime(4, connectedFor);
  await eventually(async () =>
    expect(await rejectionOf(client.leases.listLeases({}))).toMatchObject(unauthenticated('CREDENTIALS_MISSING')),
  );
  expect(await held.call()).toBe('REFUSED_STREAM');
  held.close();
  expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(notAfter.getTime() / 1000) * 1000);
  client.close();
  await expectNoCallDropped();
});

test('a connection that is held goes on while its certificate counts', async () => {
  const held = await heldConnection(await newClientCa.issueClient({ uris: [CALLER] }));
  expect(await held.call()).toBe('status 0');
  await reloading(leasehold.logs, 'the CAs of client certificates', () =>
    site.write('client-ca.pem', bundle(newClientCa.caPem, clientCa.caPem)),
  );
  expect(await held.call()).toBe('status 0');
  held.close();
});

test('after all of it, each caller was answered all the time', async () => {
  await Promise.all(traffic.map((one) => one.stop()));
  expect(traffic.flatMap(({ failures }) => failures)).toEqual([]);
  process.stderr.write(`calls answered during the rotations: ${traffic.map(({ answered }) => answered).join(', ')}\n`);
  expect(Math.min(...traffic.map(({ answered }) => answered))).toBeGreaterThan(100);
});
