import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { attachText, ed25519Key, enrolText, isSigned, signText } from '../../src/shared/tunnel/signed-texts.ts';

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'der' }) };
};
const hello = { identityId: 'an-identity', instanceId: 'an-instance' };
const certificate = Buffer.alloc(32, 9);
const nonce = Buffer.alloc(32, 7);

test('the texts are those of the contract', () => {
  expect(enrolText(new Secret('a-token')).toString('latin1')).toBe('leasehold/enrol/v1\0a-token');
  expect(attachText(hello, certificate, nonce).toString('latin1')).toBe(
    `leasehold/attach/v1\0an-identity\0an-instance\0${'\x09'.repeat(32)}${'\x07'.repeat(32)}`,
  );
});

test('a signature counts for its key and its text only', () => {
  const { privateKey, publicKey } = pair();
  const text = attachText(hello, certificate, nonce);
  const signature = signText(text, privateKey);
  expect(isSigned(text, signature, publicKey)).toBe(true);
  expect(isSigned(text, signature, pair().publicKey)).toBe(false);
  expect(isSigned(attachText(hello, certificate, Buffer.alloc(32, 8)), signature, publicKey)).toBe(false);
  expect(isSigned(attachText(hello, Buffer.alloc(32, 1), nonce), signature, publicKey)).toBe(false);
  expect(isSigned(text, Buffer.alloc(64), publicKey)).toBe(false);
  expect(isSigned(text, new Uint8Array(), publicKey)).toBe(false);
});

test('keys of other kinds are none', () => {
  const text = Buffer.from('text');
  for (const { publicKey, privateKey } of [
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ]) {
    const der = publicKey.export({ type: 'spki', format: 'der' });
    expect(ed25519Key(der)).toBeUndefined();
    expect(isSigned(text, Buffer.alloc(64), der)).toBe(false);
    expect(privateKey.type).toBe('private');
  }
  expect(ed25519Key(Buffer.from('no key at all'))).toBeUndefined();
  expect(ed25519Key(new Uint8Array())).toBeUndefined();
  expect(ed25519Key(pair().publicKey)?.asymmetricKeyType).toBe('ed25519');
});
