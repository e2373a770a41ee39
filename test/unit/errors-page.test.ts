import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { REASONS } from '../../src/shared/domain/reasons.ts';

const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** Rows of the table of reasons, by their reason. */
const rows = new Map(
  [...page.matchAll(/^\| `([A-Z]+(?:_[A-Z]+)+)` \|.*$/gm)].map(([row, reason = '']) => [reason, row]),
);

test('the page has every reason, and none that there is not', () => {
  expect([...rows.keys()]).toEqual(Object.keys(REASONS));
});

test.each(Object.entries(REASONS))('the page says of %s what the code says', (reason, [code, meaning, advice]) => {
  expect(rows.get(reason)).toBe(`| \`${reason}\` | ${code} | ${meaning} | ${advice} |`);
});

test.each(Object.entries(REASONS))('%s fits into the details of an error', (reason, [, meaning, advice]) => {
  // google.rpc.ErrorInfo.reason.
  expect(reason).toMatch(/^[A-Z][A-Z0-9_]{1,61}[A-Z0-9]$/);
  // A sentence each, which stands in a message and in a table.
  expect(`${meaning}${advice}`).not.toMatch(/[|\n]|\.$/);
  expect(meaning.length).toBeGreaterThan(10);
  expect(advice.length).toBeGreaterThan(10);
  expect(meaning.length + advice.length).toBeLessThan(220);
});
