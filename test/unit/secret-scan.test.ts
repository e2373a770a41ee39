import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { scanEvidence } from '../evidence/scan-evidence.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';

// The scan at the end of a test run finds what it is there for.

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function madeUpJwt(): string {
  const signed = `${part({ alg: 'HS512' })}.${part({ sub: randomUUID(), aud: 'https://kubernetes.default.svc' })}`;
  return `${signed}.${createHmac('sha512', randomBytes(64)).update(signed).digest('base64url')}`;
}

const token = madeUpJwt();
const opaque = randomBytes(40).toString('hex');
const sealKey = randomBytes(32);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const [, secondLine = ''] = pem.split('\n').slice(1);

async function scanOf(place: 'redis' | 'logs' | 'spans', text: string) {
  const folder = await makeTempFolder('scan');
  onTestFinished(() => folder.remove());
  const keep = async (kind: string, content: string) => {
    await mkdir(join(folder.path, kind), { recursive: true });
    await writeFile(join(folder.path, kind, 'file'), content, 'latin1');
  };
  const known = [token, opaque, sealKey.toString('base64'), pem];
  await keep('secrets', known.map((secret) => `${JSON.stringify(secret)}\n`).join(''));
  await keep(place, text);
  return scanEvidence(folder.path);
}

const FAR = 16 * 1024 * 1024;

test.each([
  ['a token', `{"msg":"got ${opaque}"}`],
  ['half of a token', `{"msg":"got ${opaque.slice(opaque.length / 2)}"}`],
  ['a JWT', `{"msg":"got ${token}"}`],
  ['the signature of a JWT', `{"msg":"got ${token.split('.')[2]}"}`],
  ['a token in base64', Buffer.from(token).toString('base64')],
  ['a key as it was given', sealKey.toString('base64')],
  ['a key in hex', sealKey.toString('hex')],
  ['a key as JSON of a Buffer', JSON.stringify({ key: sealKey })],
  ['a line of a private key', JSON.stringify({ text: `\n${secondLine}\n` })],
  ['a token on the border of what is read at a time', `${' '.repeat(FAR - 20)}${opaque}`],
  ['a token far behind', `${' '.repeat(FAR + 40_000)}${opaque}`],
])('%s that the tests know is found', async (_, text) => {
  const { leaks, knownSecrets } = await scanOf('logs', text);
  expect(knownSecrets).toBe(4);
  expect(leaks.map(({ place, what }) => `${place}: ${what}`)).toContain('logs: a secret of the tests');
});

test.each([
  ['a JWT', madeUpJwt()],
  ['a JWT in base64', Buffer.from(madeUpJwt().replace(/^\w+/, part({ alg: 'RS256' }))).toString('base64')],
  ['a private key', JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))],
  ['a private key in base64', Buffer.from(pem).toString('base64')],
  ['an API key', `leasehold_bootstrap_${randomBytes(32).toString('base64url')}`],
  ['an enrolment token', `leasehold-enrol-${randomBytes(32).toString('base64url')}`],
  ['a bearer token', `authorization: Bearer ${randomBytes(20).toString('hex')}`],
])('%s that nobody named is found by its looks', async (what, text) => {
  const { leaks } = await scanOf('redis', `before ${text} after`);
  expect(leaks.map((leak) => leak.what)).toContain(what);
});

test('what may be written down is not taken for a secret', async () => {
  const innocent = [
    '{"msg":"lease issued","lease":"0197a0b0-0000-7000-8000-000000000000","audit":{"action":"IssueLease"}}',
    'no: Bearer [redacted] [redacted]',
    part({ aud: 'https://kubernetes.default.svc' }),
    generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  ];
  const { leaks, auditEvents, bytes } = await scanOf('logs', innocent.join('\n'));
  expect(leaks).toEqual([]);
  expect(auditEvents).toBe(1);
  expect(bytes.logs).toBeGreaterThan(200);
});
