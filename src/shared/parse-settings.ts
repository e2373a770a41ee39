import type { z } from 'zod';

/**
 * Reads settings from environment variables. Blanks and line breaks around a value are never meant: they come with files that
 * hold a key or an address, and are left out. Throws an Error that names each wrong variable.
 */
export function parseSettings<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  const trimmed = Object.entries(environment).map(([name, value]) => [name, value?.trim()]);
  const parsed = schema.safeParse(Object.fromEntries(trimmed));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
    throw new Error(`these settings are missing or wrong:\n${problems.join('\n')}`);
  }
  return parsed.data;
}
