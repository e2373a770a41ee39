import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { redact } from '../../src/shared/domain/redact.ts';
import { Secret } from '../../src/shared/domain/secret.ts';

test('a secret shows itself to nobody who does not ask by name', () => {
  const secret = new Secret('hunter2');
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ];

  expect(shown.join()).not.toContain('hunter2');
  expect(shown[0]).toBe('[redacted]');
  expect(secret.reveal()).toBe('hunter2');
});

test('redaction takes out known secrets and whatever looks like a JWT', () => {
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-_bmF0dXJl';
  expect(redact(`token ${jwt} and hunter2, hunter2`, new Secret('hunter2'))).toBe(
    'token [redacted] and [redacted], [redacted]',
  );
  expect(redact(`key ${makeApiKey('bootstrap').reveal()}, whole`)).toBe('key [redacted], whole');
  expect(redact('unsigned eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.')).toBe('unsigned [redacted]');
});

test('secrets are equal where their values are', () => {
  expect(new Secret('a').equals(new Secret('a'))).toBe(true);
  expect(new Secret('a').equals(new Secret('b'))).toBe(false);
  expect(new Secret('a').equals(new Secret('ab'))).toBe(false);
});
