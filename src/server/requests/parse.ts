import type { z } from 'zod';
import { type FieldViolation, InvalidArgument } from '../../shared/domain/errors.ts';

/** Parses a message into a domain type. Throws InvalidArgument with a violation for each wrong field. */
export function parse<T>(schema: z.ZodType<T>, message: unknown, prefix = ''): T {
  const parsed = schema.safeParse(message);
  if (!parsed.success) {
    throw new InvalidArgument(parsed.error.issues.map((issue) => violation(issue, prefix)));
  }
  return parsed.data;
}

/** Paths as the proto has them: `config.direct.tls.ca_pem`. */
function violation({ path, message }: z.core.$ZodIssue, prefix: string): FieldViolation {
  const names = path.map((part) => (typeof part === 'number' ? String(part) : snakeCase(String(part))));
  return { field: [prefix, ...names].filter((name) => name !== '').join('.'), description: message };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
