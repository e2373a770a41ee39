import { createSecretKey, type KeyObject } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

/** Keys by their ids, and which of them seals. */
export interface KeyringContent {
  primary: string;
  keys: ReadonlyMap<string, KeyObject>;
}

const KEY_BYTES = 32;

/** Either alphabet (RFC 4648, 4 and 5), with its padding or without. */
const BASE64 = /^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/;

/** What is written for a key in base64, by its length in characters. */
const LOOKS: Record<number, string> = {
  32: ': this looks like 32 characters, which are to be encoded',
  60: ': this looks like base64 of base64, as a Secret shows it; decode it once',
  64: ': this looks like hex; encode the bytes in base64',
};

/** 32 bytes in base64, as a key that shows itself to nobody. Blanks and line breaks around it come with files. */
export const encodedKey = z.string().transform((text, context) => {
  const encoded = text.trim();
  const bytes = Buffer.from(encoded, 'base64');
  if (!BASE64.test(encoded) || bytes.length !== KEY_BYTES) {
    const message = `must be ${KEY_BYTES} bytes in base64 (openssl rand -base64 32)${LOOKS[encoded.length] ?? ''}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
});

const File = z.strictObject({
  primary: z.string(),
  keys: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores'),
        key: encodedKey,
      }),
    )
    .min(1),
});

/** Reads a keyring: YAML or JSON. Throws an Error that says what is wrong with it, and shows none of it. */
export function parseKeyring(text: string): KeyringContent {
  const parsed = File.safeParse(readYaml(text));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
    throw new Error(`the keyring is wrong: ${problems.join('; ')}`);
  }
  const { primary, keys: entries } = parsed.data;
  const keys = new Map(entries.map(({ id, key }) => [id, key]));
  if (keys.size < entries.length) {
    throw new Error('the keyring is wrong: two keys have the same id');
  }
  if (!keys.has(primary)) {
    throw new Error(`the keyring is wrong: it has no key ${JSON.stringify(primary)}, which it calls the primary`);
  }
  if (entries.some(({ key }, index) => entries.slice(index + 1).some((other) => key.equals(other.key)))) {
    throw new Error('the keyring is wrong: two ids have the same key, so nothing would change from one to the other');
  }
  return { primary, keys };
}

/** The parser's own errors quote the lines, in which keys may stand. */
function readYaml(text: string): unknown {
  try {
    // Its warnings go to stderr, and quote lines as well.
    return parseYaml(text, { logLevel: 'error' });
  } catch {
    throw new Error('the keyring is wrong: it is neither YAML nor JSON');
  }
}
