import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseKeyPair } from '../../src/server/transport/tls-context.ts';
import { isSamePem, parseAnchors, parseChain } from '../../src/shared/domain/certificates.ts';
import { Malformed } from '../../src/shared/domain/malformed.ts';
import { bundle, makeCa } from '../support/certificates.ts';
import { otherCa } from '../support/other-ca.ts';

const ca = await makeCa();
const { raw } = new X509Certificate(ca.caPem);
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** As `openssl x509 -trustout` writes it: settings behind the certificate. */
function trusted(settings: string): string {
  const body = Buffer.concat([raw, Buffer.from(settings, 'hex')]).toString('base64');
  return `-----BEGIN TRUSTED CERTIFICATE-----\n${body}\n-----END TRUSTED CERTIFICATE-----\n`;
}

const FOR_SERVERS = '300c300a06082b06010505070301';
const FOR_MAIL = '300c300a06082b06010505070304';
const NOT_FOR_SERVERS = '300ca00a06082b06010505070301';
const WITH_NAME = '30050c03666f6f';

test.each([
  ['no settings', '', true],
  ['a name alone', WITH_NAME, true],
  ['trust for servers', FOR_SERVERS, true],
  ['trust for mail alone', FOR_MAIL, false],
  ['distrust for servers', NOT_FOR_SERVERS, false],
])('a TRUSTED CERTIFICATE with %s', (_what, settings, isTaken) => {
  const parsing = () => parseAnchors(trusted(settings));
  if (isTaken) {
    expect(parsing().pem).toBe(parseAnchors(ca.caPem).pem);
  } else {
    expect(parsing).toThrow('certificate 1 of 1 is not trusted for servers');
  }
});

test.each([
  ['line breaks', '\n'.repeat(2 ** 20)],
  ['dashes', '-'.repeat(2 ** 20)],
  ['blanks', ' '.repeat(2 ** 20)],
  ['beginnings', '-----BEGIN CERTIFICATE-----\n'.repeat(30_000)],
  ['beginnings on one line', '-----BEGIN CERTIFICATE-----'.repeat(30_000)],
  ['ends with blanks between', `-----END CERTIFICATE-----${' '.repeat(60)}`.repeat(10_000)],
  ['one line', 'A'.repeat(2 ** 20)],
  ['base64 of base64 of nothing', base64(base64('-'.repeat(2 ** 19)))],
  ['padding', 'A='.repeat(2 ** 19)],
  ['backslashes', '-----\\\\'.repeat(2 ** 17)],
  ['braces', '{'.repeat(2 ** 20)],
  ['more than is read', `${ca.caPem}\n`.repeat(3_000)],
])('a megabyte of %s is refused, in time', { timeout: 30_000 }, (_what, text) => {
  expect(() => parseAnchors(text)).toThrow(Malformed);
});

/** Of a length that needs padding. */
const padded = base64(`${ca.caPem}${'\n'.repeat(3 - (ca.caPem.length % 3) + 1)}`);
const inLines = (text: string) => text.replace(/.{76}/g, '$&\n');

test.each([
  ['base64 of base64', base64(base64(ca.caPem)), 'decode it twice'],
  ['base64 of base64, in lines', inLines(base64(inLines(base64(ca.caPem)))), 'decode it twice'],
  ['base64 of quoted base64', base64(`"${base64(ca.caPem)}"\n`), 'decode it twice'],
  ['base64 of two PEMs', base64(bundle(ca.caPem, otherCa)), 'decode it once'],
  ['two in base64, on two lines', `${padded}\n${base64(otherCa)}`, 'decode each on its own'],
  ['two in base64, on one line', padded + base64(otherCa), 'decode each on its own'],
  ['two in base64, each in lines', `${inLines(padded)}\n${inLines(base64(otherCa))}`, 'decode each on its own'],
  [
    'a second one with \\n for line breaks',
    bundle(ca.caPem, otherCa.replaceAll('\n', '\\n')),
    'line breaks are written',
  ],
  [
    'a second one with \\r\\n for line breaks',
    bundle(ca.caPem, otherCa.replaceAll('\n', '\\r\\n')),
    'line breaks are written',
  ],
])('%s is refused with what to do', (_what, text, advice) => {
  expect(() => parseAnchors(text)).toThrow(advice);
});

test('a chain may stand beside its key; anchors may not', async () => {
  const { cert, key } = await ca.issue();
  expect(parseChain(bundle(key, cert, ca.caPem)).list.map(({ ca: isCa }) => isCa)).toEqual([false, true]);
  expect(() => parseAnchors(bundle(cert, key))).toThrow('contains a private key');
  expect(() => parseAnchors(bundle(cert, key))).not.toThrow(key.slice(40, 60));
  expect(() => parseChain(key)).toThrow('there is no PEM certificate');
});

test('a key must be of the certificate that stands first', async () => {
  const [{ cert }, { key }] = [await ca.issue(), await ca.issue()];
  expect(() => parseKeyPair(Buffer.from(cert), Buffer.from(key))).toThrow(
    'the private key does not match the certificate',
  );
});

test('the same certificates in other words are the same, and in another order they are not', () => {
  const both = bundle(ca.caPem, otherCa);
  expect(isSamePem(both, `# ours\r\n${both.replaceAll('\n', '\r\n')}`)).toBe(true);
  expect(isSamePem(both, bundle(otherCa, ca.caPem))).toBe(false);
  expect(isSamePem(both, undefined)).toBe(false);
  expect(isSamePem('what was stored once', both)).toBe(false);
});
