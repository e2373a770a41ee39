import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type ServiceError, status } from '@grpc/grpc-js';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { attachText, certificateHash, enrolText, signText } from '../../src/shared/tunnel/signed-texts.ts';
import type { TunnelClient } from '../../src/shared/tunnel/tunnel-service.ts';
import { dumpRedis } from '../support/dump-redis.ts';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { seconds } from '../support/set-ups.ts';
import { type GatewayBed, openGatewayBed } from '../support/transports/gateway-bed.ts';
import { connectToRelay } from '../support/transports/tunnel-client.ts';
import { openWorld } from '../support/world.ts';

// How a gateway becomes known: a token counts once, for one key, whose holder proves to have it.

let bed: GatewayBed;
let tunnel: TunnelClient;
beforeAll(async () => {
  bed = await openGatewayBed();
  tunnel = connectToRelay(bed.installation, bed.server.relayAddress);
});
afterAll(async () => {
  tunnel.close();
  await bed[Symbol.asyncDispose]();
});

async function createGateway(tokenTtl = 60): Promise<{ name: string; token: string; expireTime: number }> {
  const name = `gateway-${randomUUID().slice(0, 8)}`;
  const { enrolmentToken } = await bed.client.gateways.createGateway({ name, tokenTtl: seconds(tokenTtl) });
  return { name, token: enrolmentToken?.token ?? '', expireTime: Number(enrolmentToken?.expireTime) };
}

interface KeyPair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

const newKey = (): KeyPair => generateKeyPairSync('ed25519');

function enrol(token: string, key: KeyPair, signed: { by?: KeyObject; token?: string } = {}) {
  const { by = key.privateKey, token: signedToken = token } = signed;
  const request = {
    token,
    publicKey: key.publicKey.export({ type: 'spki', format: 'der' }),
    signature: signText(enrolText(new Secret(signedToken)), by),
  };
  return tunnel.enrol(request, { deadline: Date.now() + 10_000 });
}

async function expectRefused(call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
}

const identitiesOf = async (name: string) => (await bed.client.gateways.getGateway({ name })).identityCount;

test('a token makes one key known, again and again, and no other', async () => {
  const { name, token } = await createGateway();
  const key = newKey();
  const enrolled = await enrol(token, key);
  expect(enrolled.gateway).toBe(name);
  expect(await enrol(token, key)).toEqual(enrolled);
  await expectRefused(enrol(token, newKey()));
  expect(await identitiesOf(name)).toBe(1);
});

test('of two keys that come with one token at the same time, one is let in', async () => {
  const { name, token } = await createGateway();
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => enrol(token, newKey())));
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  expect(await identitiesOf(name)).toBe(1);
});

test('a token that has expired, or that nobody made, is refused', async () => {
  const { name, token, expireTime } = await createGateway(1);
  await eventually(async () => expect(Date.now()).toBeGreaterThan(expireTime));
  await expectRefused(enrol(token, newKey()));
  await expectRefused(enrol(`${token}x`, newKey()));
  await expectRefused(enrol('', newKey()));
  expect(await identitiesOf(name)).toBe(0);
});

test('who does not prove to have the key is refused, and the token is not used up', async () => {
  const { token } = await createGateway();
  const key = newKey();
  await expectRefused(enrol(token, key, { by: newKey().privateKey }));
  await expectRefused(enrol(token, key, { token: `${token}x` }));
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await expectRefused(enrol(token, { ...other, privateKey: key.privateKey }));
  await enrol(token, key);
});

/** Hello and proof as an agent sends them; resolves with how the stream ends. */
function attach(identityId: string, privateKey: KeyObject, { shown }: { shown?: Buffer } = {}): Promise<ServiceError> {
  const instanceId = randomUUID();
  const call = tunnel.attach();
  const { promise, resolve } = Promise.withResolvers<ServiceError>();
  call.on('error', resolve).on('data', ({ kind }) => {
    if (kind?.$case === 'challenge') {
      const certificate = shown ?? call.getAuthContext()?.sslPeerCertificate?.raw ?? Buffer.of();
      const text = attachText({ identityId, instanceId }, certificateHash(certificate), kind.value.nonce);
      call.write({ kind: { $case: 'proof', value: { signature: signText(text, privateKey) } } });
    }
  });
  call.write({ kind: { $case: 'hello', value: { identityId, instanceId, version: 'test' } } });
  return promise;
}

test('no stream is opened for an identity that is unknown, without its key, or by what was signed for another server', async () => {
  const { name, token } = await createGateway();
  const key = newKey();
  const { identityId } = await enrol(token, key);
  expect(await attach(randomUUID(), key.privateKey)).toMatchObject({ code: status.UNAUTHENTICATED });
  expect(await attach(identityId, newKey().privateKey)).toMatchObject({ code: status.UNAUTHENTICATED });
  // As one does who stands between, with a certificate of his own, and passes on what an agent signed for that.
  const shown = Buffer.from('another certificate');
  expect(await attach(identityId, key.privateKey, { shown })).toMatchObject({ code: status.UNAUTHENTICATED });
  expect((await bed.client.gateways.getGateway({ name })).agents).toEqual([]);

  void attach(identityId, key.privateKey);
  await eventually(async () =>
    expect((await bed.client.gateways.getGateway({ name })).agents).toMatchObject([{ identityId, version: 'test' }]),
  );
});

test('only the hash of a token is stored, and nothing of it is logged', async () => {
  const { token } = await createGateway();
  const another = await createGateway();
  await enrol(another.token, newKey());
  const { LEASEHOLD_INSTALLATION: installation } = bed.installation.environment;
  const stored = await dumpRedis(inject('redisUrl'), `{leasehold:${installation}}*`);
  expect(stored).toContain(another.name);
  for (const secret of [token, another.token]) {
    const forms = [secret, secret.split('-').at(-1) ?? secret, Buffer.from(secret).toString('base64').slice(0, -4)];
    expect(forms.filter((form) => stored.includes(form))).toEqual([]);
    expect(forms.filter((form) => bed.installation.logs.join('\n').includes(form))).toEqual([]);
  }
});

test.each([
  ['no name', {}, 'name'],
  ['a name that is no DNS label', { name: 'NO' }, 'name'],
  ['a token for less than a second', { name: 'fine', tokenTtl: { seconds: 0n, nanos: 0 } }, 'token_ttl'],
  ['a token for more than a week', { name: 'fine', tokenTtl: seconds(7 * 86_400 + 1) }, 'token_ttl'],
])('%s is refused', async (_, request, field) => {
  expect(await rejectionOf(bed.client.gateways.createGateway(request))).toMatchObject({
    code: Status.INVALID_ARGUMENT,
    fields: [field],
  });
});

test('a name is taken once; what is not there is not found', async () => {
  const { name } = await createGateway();
  expect(await rejectionOf(bed.client.gateways.createGateway({ name }))).toMatchObject({
    code: Status.ALREADY_EXISTS,
    reason: 'GATEWAY_NAME_TAKEN',
  });
  const { gateways } = bed.client;
  for (const call of [
    gateways.getGateway({ name: 'nowhere' }),
    gateways.deleteGateway({ name: 'nowhere' }),
    gateways.createEnrolmentToken({ gateway: 'nowhere' }),
  ]) {
    expect(await rejectionOf(call)).toMatchObject({ code: Status.NOT_FOUND });
  }
});

test('a server without a relay makes no gateways', async () => {
  const world = await openWorld();
  expect(await rejectionOf(world.gateways.createGateway({ name: 'useless' }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'RELAY_NOT_ENABLED',
  });
  await world.stop();
});
