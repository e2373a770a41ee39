import type { z } from 'zod';

/** Reads settings from environment variables. Throws an Error that names each wrong variable. */
export function parseSettings<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
    throw new Error(`these settings are missing or wrong:\n${problems.join('\n')}`);
  }
  return parsed.data;
}
