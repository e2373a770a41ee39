import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Settings } from '../../src/shared/settings.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** A row of the README's table, made of what the settings say of themselves. */
function row(name: string, field: z.ZodType): string {
  const { default: fallback } = z.toJSONSchema(field, { io: 'input' });
  return `| \`${name}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${field.description} |`;
}

test.each(Object.entries(Settings.shape))('the README lists %s as it is', (name, field) => {
  expect(readme).toContain(row(name, field));
});
