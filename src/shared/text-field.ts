import { z } from 'zod';
import { Malformed } from './domain/malformed.ts';

/** A text as `parse` reads it; where that throws Malformed, its message is the issue. */
export function textField<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof Malformed)) {
        throw error;
      }
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}
