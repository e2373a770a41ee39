import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { isIssuedByOneOf, isValid, parseClientCas } from '../../src/server/transport/client-cas.ts';
import { bundle, type ClientIdentity, makeCa, type TestCa } from '../support/certificates.ts';

/** Certificates begin at the second in which they are made. */
const now = Date.now;
const HOUR = 3_600_000;
const [ca, other] = [await makeCa(), await makeCa()];

const casOf = (...cas: readonly TestCa[]) => parseClientCas(Buffer.from(bundle(...cas.map(({ caPem }) => caPem))));

async function certificateOf(issuer: TestCa, identity: ClientIdentity = {}): Promise<X509Certificate> {
  return new X509Certificate((await issuer.issueClient(identity)).cert);
}

test('a certificate counts with the CA that issued it, among others', async () => {
  const certificate = await certificateOf(ca);
  expect(isIssuedByOneOf(casOf(other, ca), certificate, now())).toBe(true);
  expect(isIssuedByOneOf(casOf(other), certificate, now())).toBe(false);
});

test('the CA below a CA must be there itself', async () => {
  const below = await ca.issueCa();
  const certificate = await certificateOf(below);
  expect(isIssuedByOneOf(casOf(ca), certificate, now())).toBe(false);
  expect(isIssuedByOneOf(casOf(below), certificate, now())).toBe(true);
});

test('a CA that has ended vouches for nobody', async () => {
  expect(isIssuedByOneOf(casOf(ca), await certificateOf(ca), now() + 10 * 366 * 24 * HOUR)).toBe(false);
});

test('a certificate that was changed does not count', async () => {
  const { raw } = await certificateOf(ca);
  raw.writeUInt8(raw.readUInt8(raw.length - 1) ^ 1, raw.length - 1);
  expect(isIssuedByOneOf(casOf(ca), new X509Certificate(raw), now())).toBe(false);
});

test('a certificate is valid from its beginning to just before its end', async () => {
  const start = Math.floor(now() / 1000) * 1000;
  const notAfter = new Date(start + HOUR);
  const certificate = await certificateOf(ca, { notBefore: new Date(start), notAfter });
  const offsets = [-1, 0, HOUR - 1, HOUR].map((offset) => isValid(certificate, start + offset));
  expect(offsets).toEqual([false, true, true, false]);
});

test('a file without certificates is none of CAs', () => {
  expect(() => parseClientCas(Buffer.from('nothing'))).toThrow('no PEM certificate');
});
