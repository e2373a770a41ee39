import type { Action, Resource } from '../shared/ports/authorizer.ts';
import type { Caller } from './guard.ts';
import type { PageTokens } from './requests/page-token.ts';

/** Items that are looked at in one call. One that may see few of them gets a short page, and goes on with its token. */
const MAX_LOOKED_AT = 2_000;

/** Items that are read at once: the process serves others between two such lots. */
const MAX_LOT = 200;

/** What is listed. */
interface Source<T> {
  /** The action of the list: its tokens are for no other. */
  list: Action;
  /** What the caller must be allowed to do on an item to be shown it. */
  shows: { action: Action; of: 'config' | 'lease' | 'gateway' };
  /** Up to `limit` items that come after the named one; fewer only at the end. */
  read(after: string | undefined, limit: number): Promise<T[]>;
  nameOf(item: NoInfer<T>): string;
  resourceOf(item: NoInfer<T>): Resource | Promise<Resource>;
}

/** Pages of lists that hold no more than their callers may see. */
export class Lists {
  readonly #tokens: PageTokens;

  constructor(tokens: PageTokens) {
    this.#tokens = tokens;
  }

  /** The page that `pageToken` leads to, under the filters `query`. Throws InvalidArgument. */
  async page<T>(
    { pageSize, pageToken }: { pageSize: number; pageToken: string },
    query: object,
    caller: Caller,
    source: Source<T>,
  ): Promise<{ items: T[]; nextPageToken: string }> {
    const use = { holder: caller.name, list: source.list, query };
    const { items, last } = await visibleItems(source, caller, this.#tokens.read(pageToken, use), pageSize);
    return { items, nextPageToken: last === undefined ? '' : this.#tokens.write(last, use) };
  }
}

/** Up to `limit` items that the caller may see; `last`: the last that was looked at, where there may be more. */
async function visibleItems<T>(
  source: Source<T>,
  caller: Caller,
  after: string | undefined,
  limit: number,
): Promise<{ items: T[]; last: string | undefined }> {
  const { action, of } = source.shows;
  const seesAll = caller.may(action, { kind: 'any', of });
  const items: T[] = [];
  let last = after;
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; ) {
    // One more than wanted tells whether there is a next page.
    const size = lookedAt === 0 ? Math.min(limit + 1, MAX_LOT) : MAX_LOT;
    const lot = await source.read(last, size);
    for (const item of lot) {
      if (seesAll || caller.may(action, await source.resourceOf(item))) {
        if (items.length === limit) {
          return { items, last };
        }
        items.push(item);
      }
      last = source.nameOf(item);
    }
    if (lot.length < size) {
      return { items, last: undefined };
    }
    lookedAt += lot.length;
  }
  return { items, last };
}
