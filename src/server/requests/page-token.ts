import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { parseJson } from '../../shared/domain/parse-json.ts';
import type { Secret } from '../../shared/domain/secret.ts';

const Content = z.object({ last: z.string().max(253), query: z.unknown() });

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whom a page token is for, and the list that it goes on with. */
export interface TokenUse {
  /** Name of the principal. */
  holder: string;
  list: string;
  /** All that chooses the items. */
  query: object;
}

const PURPOSE = 'leasehold/page-token/v1';

/** Secrets of 32 bytes in base64url that all servers of the installation make alike. */
interface Keys {
  derive(purpose: string): Secret;
  /** Also those of before and after a rotation. */
  deriveAll(purpose: string): Secret[];
}

/**
 * Opaque to callers (AIP-158), and sealed: a list goes on after an item that its caller may not know of. Good for one
 * caller and one list, at every server of the installation.
 */
export class PageTokens {
  readonly #keys: Keys;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** A token for the items after `last`. */
  write(last: string, { query, ...place }: TokenUse): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, bytesOfKey(this.#keys.derive(PURPOSE)), nonce, {
      authTagLength: TAG_BYTES,
    }).setAAD(bytesOf(place));
    const sealed = Buffer.concat([cipher.update(JSON.stringify({ last, query })), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** The last item of the page before; undefined for the first page. Throws InvalidArgument for any other use's token. */
  read(token: string, { query, ...place }: TokenUse): string | undefined {
    if (token === '') {
      return undefined;
    }
    const content = Content.safeParse(parseJson(this.#open(token, place) ?? ''));
    if (!content.success) {
      throw new InvalidArgument([{ field: 'page_token', description: 'is not a next_page_token of this list' }]);
    }
    if (!isDeepStrictEqual(content.data.query, JSON.parse(JSON.stringify(query)))) {
      throw new InvalidArgument([{ field: 'page_token', description: 'belongs to a list with other filters' }]);
    }
    return content.data.last;
  }

  #open(token: string, place: Omit<TokenUse, 'query'>): string | undefined {
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) {
      return undefined;
    }
    return this.#keys
      .deriveAll(PURPOSE)
      .map((key) => open(bytes, bytesOfKey(key), place))
      .find((text) => text !== undefined);
  }
}

function open(token: Buffer, key: Buffer, place: Omit<TokenUse, 'query'>): string | undefined {
  const decipher = createDecipheriv(ALGORITHM, key, token.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(bytesOf(place))
    .setAuthTag(token.subarray(-TAG_BYTES));
  try {
    return decipher.update(token.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    // Changed, another caller's, or of a key that is gone: all the same to whoever sent it.
    return undefined;
  }
}

function bytesOfKey(key: Secret): Buffer {
  return Buffer.from(key.reveal(), 'base64url');
}

function bytesOf({ holder, list }: Omit<TokenUse, 'query'>): Buffer {
  return Buffer.from(JSON.stringify([list, holder]));
}
