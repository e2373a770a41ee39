import { expect, test } from 'vitest';
import { ApiKeys } from '../../src/server/authentication/api-keys.ts';
import { apiKeyHash, apiKeyName, makeApiKey } from '../../src/shared/domain/api-key.ts';
import { Secret } from '../../src/shared/domain/secret.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const [first, second, old, ending] = [makeApiKey('ops'), makeApiKey('ops'), makeApiKey('old'), makeApiKey('ending')];
const entry = (name: string, key: Secret, groups: string[] = [], expireTime?: number) => ({
  name,
  hash: apiKeyHash(key),
  groups,
  expireTime,
});

const keys = new ApiKeys([
  entry('ops', first, ['admins']),
  entry('ops', second, ['auditors']),
  entry('old', old, ['admins'], NOW),
  entry('ending', ending, [], NOW + 1),
]);
const authenticate = (bearer: Secret | undefined) => keys.authenticate({ bearer, now: NOW });

test('a key is its name, with its groups; two keys of one name are one caller', async () => {
  const ops = { kind: 'api-key', id: 'ops', issuer: 'leasehold' };
  expect(await authenticate(first)).toEqual({ ...ops, groups: ['admins'] });
  expect(await authenticate(second)).toEqual({ ...ops, groups: ['auditors'] });
  expect(await authenticate(ending)).toMatchObject({ id: 'ending' });
});

test.each<[string, Secret | undefined]>([
  ['no bearer', undefined],
  ['a token', new Secret('eyJhbGciOiJub25lIn0.e30.')],
  ['a key that is cut off', new Secret(first.reveal().slice(0, -1))],
  ['a key with something behind', new Secret(`${first.reveal()}A`)],
])('%s is left to others', async (_name, bearer) => {
  expect(await authenticate(bearer)).toBeUndefined();
});

/** `key` with its last character, whose two last bits say nothing, changed. */
function almost(key: Secret): Secret {
  const text = key.reveal();
  return new Secret(`${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`);
}

test.each<[string, Secret]>([
  ['that nobody was given', makeApiKey('ops')],
  ['whose name is not known', makeApiKey('nobody')],
  ['whose last character is another', almost(first)],
  ['of another name', new Secret(first.reveal().replace('_ops_', '_old_'))],
])('a key %s is refused, always in the same words', async (_name, key) => {
  await expect(authenticate(key)).rejects.toMatchObject({
    name: 'Unauthenticated',
    reason: 'CREDENTIALS_INVALID',
    message: 'the API key is none that counts here: it was removed, or is not whole',
  });
});

test('an expired key is refused, and only who has it learns that it was one', async () => {
  await expect(authenticate(old)).rejects.toMatchObject({ reason: 'CREDENTIALS_EXPIRED' });
  await expect(authenticate(almost(old))).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('keys say what they are, are never the same, and keep their text from what is printed', () => {
  expect(first.reveal()).toMatch(/^leasehold_ops_[\w-]{43}$/);
  expect(apiKeyName(first)).toBe('ops');
  expect(first.reveal()).not.toBe(second.reveal());
  expect(`${first}`).toBe('[redacted]');
});
