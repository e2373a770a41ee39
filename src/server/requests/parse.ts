import type { z } from 'zod';
import { type FieldViolation, InvalidArgument } from '../../shared/domain/errors.ts';
import { shorten } from '../../shared/domain/shorten.ts';

/** Characters of a field's path: a label's key is part of it, as long as the caller made it. */
const MAX_FIELD = 200;

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
  const field = [prefix, ...names].filter((name) => name !== '').join('.');
  return { field: shorten(field, MAX_FIELD), description: message };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
