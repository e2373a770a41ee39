import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { type ClientCas, parseClientCas } from '../../src/server/transport/client-cas.ts';
import { ClientCertificates } from '../../src/server/transport/client-certificates.ts';
import { bundle, type ClientIdentity, makeCa, type TestCa } from '../support/certificates.ts';

const NOW = Date.now();
const HOUR = 3_600_000;
const [ca, other] = [await makeCa(), await makeCa()];

const casOf = (...cas: readonly TestCa[]) => parseClientCas(Buffer.from(bundle(...cas.map(({ caPem }) => caPem))));

/** The chain of a new certificate, as it comes from a connection: DER. */
async function chainOf(issuer: TestCa, identity: ClientIdentity = {}): Promise<Buffer[]> {
  const { cert } = await issuer.issueClient(identity);
  return parseClientCas(Buffer.from(cert)).certificates.map(({ raw }) => raw);
}

function lookingAt(cas: ClientCas, isRequired = false) {
  const world = { cas };
  const certificates = new ClientCertificates(() => world.cas, { isRequired });
  return { world, present: (chain: Uint8Array[], now = NOW) => certificates.present(chain, now) };
}

test('a certificate of a CA counts, and its connection goes on to be looked at', async () => {
  const { present } = lookingAt(casOf(other, ca));
  const chain = await chainOf(ca);
  expect(present(chain)?.fingerprint256).toBe(new X509Certificate(chain[0] ?? '').fingerprint256);
});

test('one that expires on its connection is refused from that moment on', async () => {
  const { present } = lookingAt(casOf(ca));
  const notAfter = new Date(Math.ceil(NOW / 1000) * 1000 + 1_000);
  const chain = await chainOf(ca, { notAfter });
  expect(present(chain, notAfter.getTime() - 500)).toBeDefined();
  expect(() => present(chain, notAfter.getTime())).toThrow(expect.objectContaining({ reason: 'CREDENTIALS_EXPIRED' }));
});

test('one that is not valid yet is refused', async () => {
  const { present } = lookingAt(casOf(ca));
  const chain = await chainOf(ca, { notBefore: new Date(NOW + HOUR), notAfter: new Date(NOW + 2 * HOUR) });
  expect(() => present(chain)).toThrow(expect.objectContaining({ reason: 'CREDENTIALS_EXPIRED' }));
});

test('one whose CA is taken away is refused at once', async () => {
  const { world, present } = lookingAt(casOf(ca));
  const chain = await chainOf(ca);
  expect(present(chain)).toBeDefined();
  world.cas = casOf(other);
  expect(() => present(chain)).toThrow(expect.objectContaining({ reason: 'CREDENTIALS_INVALID' }));
  world.cas = casOf(other, ca);
  expect(present(chain)).toBeDefined();
});

test('one of a CA below counts by the chain that came with it, or by the CA in the file', async () => {
  const below = await (await ca.issueCa()).issueCa();
  const chain = await chainOf(below);
  expect(chain).toHaveLength(3);
  expect(lookingAt(casOf(ca)).present(chain)).toBeDefined();
  expect(lookingAt(casOf(below)).present(chain.slice(0, 1))).toBeDefined();
  expect(() => lookingAt(casOf(ca)).present(chain.slice(0, 1))).toThrow('of no CA');
  expect(() => lookingAt(casOf(other)).present(chain)).toThrow('of no CA');
});

test('a CA of the same name with another key does not count', async () => {
  const chain = await chainOf(ca);
  const [own = Buffer.of()] = chain;
  const bytes = Buffer.from(own);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  expect(() => lookingAt(casOf(ca)).present([bytes])).toThrow('of no CA');
});

test('no certificate is nothing, unless one is required', () => {
  expect(lookingAt(casOf(ca)).present([])).toBeUndefined();
  expect(() => lookingAt(casOf(ca), true).present([])).toThrow(
    expect.objectContaining({ reason: 'CREDENTIALS_MISSING' }),
  );
});

test('a file without certificates is none of CAs', () => {
  expect(() => parseClientCas(Buffer.from('nothing'))).toThrow('no PEM certificate');
});
