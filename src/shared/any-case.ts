import { z } from 'zod';

/** One of these words in lower case, written in any. */
export const anyCase = <const T extends readonly string[]>(words: T) => z.string().toLowerCase().pipe(z.enum(words));
