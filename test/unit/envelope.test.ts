import { createSecretKey, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Envelope, openEnvelope, rewrapEnvelope, sealEnvelope } from '../../src/shared/sealing/envelope.ts';
import { Keyring } from '../../src/shared/sealing/keyring.ts';

const HERE = 'access/1';
const DAMAGED = { name: 'DataLoss', reason: 'STORED_SECRET_DAMAGED' };

const newKey = () => createSecretKey(randomBytes(32));
const k1 = newKey();
const k2 = newKey();
const old = new Keyring({ primary: 'k1', keys: new Map([['k1', k1]]) });
const both = new Keyring({
  primary: 'k2',
  keys: new Map([
    ['k1', k1],
    ['k2', k2],
  ]),
});

const seal = (text: string, place = HERE) => sealEnvelope(old, Buffer.from(text), place);
const open = async (envelope: Envelope, place = HERE) => (await openEnvelope(old, envelope, place)).toString();

/** The envelope with other bytes in one of its two parts. */
function changed(envelope: Envelope, part: 'wrappedKey' | 'sealed', bytes: Buffer): Envelope {
  return part === 'sealed'
    ? { ...envelope, sealed: bytes }
    : { ...envelope, wrappedKey: { ...envelope.wrappedKey, bytes } };
}

function bytesOf(envelope: Envelope, part: 'wrappedKey' | 'sealed'): Buffer {
  return part === 'sealed' ? envelope.sealed : envelope.wrappedKey.bytes;
}

test('what was sealed opens at its place, and never looks the same', async () => {
  const [one, other] = [await seal('tökén'), await seal('tökén')];
  expect(await open(one)).toBe('tökén');
  expect(one.sealed.includes('tökén')).toBe(false);
  expect(one.sealed.equals(other.sealed)).toBe(false);
  expect(one.wrappedKey.bytes.equals(other.wrappedKey.bytes)).toBe(false);
});

test('it does not open at another place', async () => {
  await expect(open(await seal('token'), 'access/2')).rejects.toMatchObject(DAMAGED);
});

test.each(['wrappedKey', 'sealed'] as const)('no bit of its %s may be changed', async (part) => {
  const envelope = await seal('token');
  const bytes = bytesOf(envelope, part);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    const index = Math.floor(bit / 8);
    flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << (bit % 8)), index);
    await expect(open(changed(envelope, part, flipped))).rejects.toMatchObject(DAMAGED);
  }
});

test.each(['wrappedKey', 'sealed'] as const)('its %s may not be cut off, at whatever length', async (part) => {
  const envelope = await seal('token');
  const bytes = bytesOf(envelope, part);
  for (let length = 0; length < bytes.length; length++) {
    await expect(open(changed(envelope, part, bytes.subarray(0, length)))).rejects.toMatchObject(DAMAGED);
    await expect(open(changed(envelope, part, bytes.subarray(bytes.length - length)))).rejects.toMatchObject(DAMAGED);
  }
});

test('parts of two envelopes do not fit together, not even of one place', async () => {
  for (const place of [HERE, 'access/2']) {
    const [one, other] = [await seal('one'), await seal('two', place)];
    await expect(open({ ...one, sealed: other.sealed })).rejects.toMatchObject(DAMAGED);
    await expect(open({ ...one, wrappedKey: other.wrappedKey })).rejects.toMatchObject(DAMAGED);
  }
});

test('a key of its id that is another does not open it, and one that is not there is named', async () => {
  const envelope = await seal('token');
  const another = new Keyring({ primary: 'k1', keys: new Map([['k1', newKey()]]) });
  await expect(openEnvelope(another, envelope, HERE)).rejects.toMatchObject(DAMAGED);
  const without = new Keyring({ primary: 'k2', keys: new Map([['k2', k2]]) });
  await expect(openEnvelope(without, envelope, HERE)).rejects.toMatchObject({
    ...DAMAGED,
    message: expect.stringContaining('"k1"'),
  });
  const renamed = { ...envelope, wrappedKey: { ...envelope.wrappedKey, keyId: 'k2' } };
  await expect(openEnvelope(both, renamed, HERE)).rejects.toMatchObject(DAMAGED);
});

test('re-wrapped it opens with the new key alone', async () => {
  const envelope = await rewrapEnvelope(both, await seal('token'), HERE);
  const alone = new Keyring({ primary: 'k2', keys: new Map([['k2', k2]]) });
  expect((await openEnvelope(alone, envelope, HERE)).toString()).toBe('token');
  await expect(open(envelope)).rejects.toMatchObject(DAMAGED);
  await expect(rewrapEnvelope(both, await seal('token', 'access/2'), HERE)).rejects.toMatchObject(DAMAGED);
});
