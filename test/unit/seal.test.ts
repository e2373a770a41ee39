import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { Seal } from '../../src/shared/sealing/seal.ts';

const seal = new Seal(randomBytes(32));

test('what was sealed opens at its place', () => {
  const sealed = seal.seal(new Secret('tökén'), 'access/1');
  expect(sealed).not.toContain('tökén');
  expect(seal.open(sealed, 'access/1').reveal()).toBe('tökén');
});

test('the same secret never looks the same', () => {
  expect(seal.seal(new Secret('token'), 'access/1')).not.toBe(seal.seal(new Secret('token'), 'access/1'));
});

test('it does not open elsewhere, under another key, or when a bit of it was changed or cut off', () => {
  const sealed = seal.seal(new Secret('token'), 'access/1');
  expect(() => seal.open(sealed, 'access/2')).toThrow('access/2 does not open');
  expect(() => new Seal(randomBytes(32)).open(sealed, 'access/1')).toThrow('LEASEHOLD_SEAL_KEY');
  const bytes = Buffer.from(sealed, 'base64');
  for (const [index] of bytes.entries()) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
    expect(() => seal.open(changed.toString('base64'), 'access/1')).toThrow();
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(() => seal.open(bytes.subarray(0, length).toString('base64'), 'access/1')).toThrow();
  }
});
