import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Keyring } from '../../src/shared/sealing/keyring.ts';
import { parseKeyring } from '../../src/shared/sealing/parse-keyring.ts';

const newKey = () => randomBytes(32).toString('base64');
const [A, B] = [newKey(), newKey()];

function file(primary: string, keys: Record<string, string>): string {
  return JSON.stringify({ primary, keys: Object.entries(keys).map(([id, key]) => ({ id, key })) });
}

test('a keyring is YAML or JSON', () => {
  const yaml = `primary: k2\nkeys:\n  - {id: k1, key: "${A}"}\n  - id: k2\n    key: ${B}\n`;
  for (const text of [yaml, file('k2', { k1: A, k2: B })]) {
    const { primary, keys } = parseKeyring(text);
    expect(primary).toBe('k2');
    expect([...keys].map(([id, key]) => [id, key.export().toString('base64')])).toEqual([
      ['k1', A],
      ['k2', B],
    ]);
  }
});

test.each([
  ['is empty', '', 'the file'],
  ['is no YAML', `primary: [\nkey: ${A}`, 'neither YAML nor JSON'],
  ['names no primary', file('', { k1: A }), 'primary'],
  ['has not the primary that it names', file('k2', { k1: A }), '"k2"'],
  ['has no keys', file('k1', {}), 'keys'],
  ['has a key that is too short', file('k1', { k1: A.slice(4) }), 'keys.0.key: must be 32 bytes'],
  ['has a key that is no base64', file('k1', { k1: `*${A}` }), 'keys.0.key'],
  ['has an id with other characters', file('k 1', { 'k 1': A }), 'keys.0.id'],
  ['has one key under two ids', file('k1', { k1: A, k2: A }), 'same key'],
  [
    'has an id twice',
    `{"primary": "k1", "keys": [{"id": "k1", "key": "${A}"}, {"id": "k1", "key": "${B}"}]}`,
    'same id',
  ],
  ['has a field that is unknown', `{"primary": "k1", "keys": [{"id": "k1", "key": "${A}", "kay": "x"}]}`, 'kay'],
])('a keyring that %s is refused, and not shown', (_what, text, complaint) => {
  const complaining = () => parseKeyring(text);
  expect(complaining).toThrow(complaint);
  expect(complaining).not.toThrow(A.slice(8, 20));
});

test('what is derived is the same of the same key, and changes with the primary', () => {
  const one = new Keyring(parseKeyring(file('k1', { k1: A, k2: B })));
  const other = new Keyring(parseKeyring(file('k2', { k1: A, k2: B })));
  expect(one.derive('a').equals(new Keyring(parseKeyring(file('k9', { k9: A }))).derive('a'))).toBe(true);
  expect(one.derive('a').equals(one.derive('b'))).toBe(false);
  expect(one.derive('a').equals(other.derive('a'))).toBe(false);
  for (const keyring of [one, other]) {
    expect(keyring.deriveAll('a').some((secret) => secret.equals(one.derive('a')))).toBe(true);
    expect(keyring.deriveAll('a').some((secret) => secret.equals(other.derive('a')))).toBe(true);
  }
});
