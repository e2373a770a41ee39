import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { Certificates } from '../../src/server/authentication/certificates.ts';
import { type ClientIdentity, makeCa } from '../support/certificates.ts';

const ca = await makeCa();
const NOW = Date.now();
const both = new Certificates({ trustDomains: ['example.org'], subjects: true });
const bySpiffe = new Certificates({ trustDomains: ['example.org'], subjects: false });

async function authenticate(identity: ClientIdentity, by = both) {
  const { cert } = await ca.issueClient(identity);
  return by.authenticate({ certificate: new X509Certificate(cert), now: NOW });
}

test('a certificate with a SPIFFE ID of a trust domain is that ID', async () => {
  expect(await authenticate({ uris: ['spiffe://example.org/ns/pay/sa/ledger'] })).toEqual({
    kind: 'certificate',
    id: 'spiffe://example.org/ns/pay/sa/ledger',
    issuer: 'example.org',
    groups: [],
  });
});

test('one without is its subject, where subjects count', async () => {
  expect(await authenticate({ commonName: String.raw`Ops\, the best` })).toEqual({
    kind: 'certificate',
    id: String.raw`CN=Ops\, the best`,
    issuer: expect.stringMatching(/^CN=CA of a test /),
    groups: [],
  });
  expect(await authenticate({ commonName: 'ops' }, bySpiffe)).toBeUndefined();
});

test('no certificate is left to others, and so is one of a trust domain that does not count', async () => {
  expect(await both.authenticate({ now: NOW })).toBeUndefined();
  expect(await authenticate({ uris: ['spiffe://evil.example/ns/pay/sa/ledger'] })).toBeUndefined();
  expect(await authenticate({ uris: ['https://example.org/'] }, bySpiffe)).toBeUndefined();
});

test.each<[string, string[]]>([
  ['two URIs', ['spiffe://example.org/a', 'spiffe://example.org/b']],
  ['another URI beside', ['https://example.org/', 'spiffe://example.org/a']],
  ['no path', ['spiffe://example.org']],
  ['an empty segment', ['spiffe://example.org/a//b']],
  ['a segment that leads up', ['spiffe://example.org/a/../b']],
  ['a slash at its end', ['spiffe://example.org/a/']],
  ['a port', ['spiffe://example.org:443/a']],
  ['a query', ['spiffe://example.org/a?b']],
  ['capitals in its trust domain', ['spiffe://EXAMPLE.org/a']],
  ['its scheme in capitals', ['SPIFFE://example.org/a']],
  ['a comma, for which Node quotes it', ['spiffe://example.org/a,b']],
  ['too much length', [`spiffe://example.org/${'a'.repeat(2048)}`]],
])('a SPIFFE ID with %s is refused', async (_name, uris) => {
  await expect(authenticate({ uris })).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('a name that looks like the list of names that Node makes cannot pretend to be a SPIFFE ID', async () => {
  const trick = 'https://a.example/, URI:spiffe://example.org/admin, URI:https://b.example/';
  expect(await authenticate({ uris: [trick] }, bySpiffe)).toBeUndefined();
});

test('a CA is nobody', async () => {
  const certificate = new X509Certificate((await ca.issueCa()).caPem);
  expect(await bySpiffe.authenticate({ certificate, now: NOW })).toBeUndefined();
});

test('a subject that is too long to be asked for is nobody', async () => {
  await expect(authenticate({ commonName: 'a'.repeat(2048) })).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});
