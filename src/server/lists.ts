import type { Action, Resource } from '../shared/ports/authorizer.ts';
import type { Caller } from './guard.ts';
import { Pace } from './limits/pace.ts';
import { Turns } from './limits/turns.ts';
import type { PageTokens } from './requests/page-token.ts';

/** Items that are looked at in one call. One that may see few of them gets a short page, and goes on with its token. */
const MAX_LOOKED_AT = 2_000;

/** Items that are read at once. */
const MAX_LOT = 200;

/** After so long of looking a page is short as well: the policies take longer where a caller is in hundreds of groups. */
const MAX_MS = 500;

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
  readonly #turns = new Turns();

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
    const after = this.#tokens.read(pageToken, use);
    const { items, last } = await this.#turns.take(caller.name, () => visibleItems(source, caller, after, pageSize));
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
  const { sees, pace } = lookingAs(caller, source);
  const items: T[] = [];
  let last = after;
  // One more than wanted tells whether there is a next page.
  let size = Math.min(limit + 1, MAX_LOT);
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += size, size = MAX_LOT) {
    caller.signal.throwIfAborted();
    const lot = await source.read(last, size);
    for (const item of lot) {
      const isSeen = await sees(item);
      if (isSeen && items.length === limit) {
        return { items, last };
      }
      if (isSeen) {
        items.push(item);
      }
      last = source.nameOf(item);
      if (await pace.isOver()) {
        return { items, last };
      }
    }
    if (lot.length < size) {
      return { items, last: undefined };
    }
  }
  return { items, last };
}

/** Which items the caller sees, and for how long it may look at them. Who sees all does not keep the policies busy. */
function lookingAs<T>(caller: Caller, { shows: { action, of }, resourceOf }: Source<T>) {
  const seesAll = caller.may(action, { kind: 'any', of });
  return {
    sees: async (item: T) => seesAll || caller.may(action, await resourceOf(item)),
    pace: new Pace(seesAll ? Number.POSITIVE_INFINITY : MAX_MS),
  };
}
