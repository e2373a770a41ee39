import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Settings } from '../../src/shared/settings.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** A row of the README's table, made of what the settings say of themselves. */
function row(
  name: string,
  field: { description?: string | undefined; safeParse(value: unknown): { data?: unknown } },
): string {
  const fallback = field.safeParse(undefined).data;
  return `| \`${name}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${field.description} |`;
}

test.each(Object.entries(Settings.shape))('the README lists %s as it is', (name, field) => {
  expect(readme).toContain(row(name, field));
});
