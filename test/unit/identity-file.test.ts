import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { prepareIdentity } from '../../src/gateway/enrol.ts';
import { IdentityFile } from '../../src/gateway/identity-file.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';

const folder = await makeTempFolder('identity');
afterAll(() => folder.remove());

const newPath = () => join(folder.path, randomUUID());
const newKey = () => generateKeyPairSync('ed25519').privateKey;

test('an identity is read back as it was written, by its owner only', async () => {
  const file = new IdentityFile(newPath());
  const identity = { privateKey: newKey(), identityId: randomUUID() };
  await file.write(identity);
  const read = await file.read();
  expect(read?.identityId).toBe(identity.identityId);
  expect(read?.privateKey.equals(identity.privateKey)).toBe(true);
  expect((await stat(file.path)).mode & 0o777).toBe(0o600);
});

test('a file that others could read is not so any more once it is written', async () => {
  const file = new IdentityFile(newPath());
  await writeFile(file.path, '{}');
  await chmod(file.path, 0o644);
  await file.write({ privateKey: newKey() });
  expect((await stat(file.path)).mode & 0o777).toBe(0o600);
});

test('a write that fails leaves nothing behind', async () => {
  const file = new IdentityFile(newPath());
  await mkdir(join(file.path, 'in-the-way'), { recursive: true });
  const before = await readdir(folder.path);
  await expect(file.write({ privateKey: newKey() })).rejects.toThrow();
  expect(await readdir(folder.path)).toEqual(before);
});

test('where there is no file, there is no identity', async () => {
  expect(await new IdentityFile(newPath()).read()).toBeUndefined();
});

test.each([
  ['no JSON', 'PRIVATE'],
  ['no key', '{}'],
  ['another key', '{"privateKey": "PRIVATE"}'],
  ['an id that is none', JSON.stringify({ privateKey: pem(), identityId: 'PRIVATE' })],
])('a file with %s is refused, and not quoted', async (_what, text) => {
  const path = newPath();
  await writeFile(path, text);
  const problem = await new IdentityFile(path).read().catch((error: Error) => error.message);
  expect(problem).toContain(`${path} holds no identity`);
  expect(problem).not.toContain('PRIVATE');
});

test('the key is in the file before the first enrolment, and the same for the next try', async () => {
  const file = new IdentityFile(newPath());
  await prepareIdentity(file, 'token');
  const first = await readFile(file.path, 'utf8');
  await prepareIdentity(file, 'token');
  expect(await readFile(file.path, 'utf8')).toBe(first);
  expect(await file.read()).not.toHaveProperty('identityId');
});

test('without identity and without token it says what to set', async () => {
  await expect(prepareIdentity(new IdentityFile(newPath()), undefined)).rejects.toThrow(
    'set LEASEHOLD_GATEWAY_ENROLMENT_TOKEN',
  );
});

function pem(): string {
  return String(newKey().export({ type: 'pkcs8', format: 'pem' }));
}
