import type { Action, Resource } from '../shared/ports/authorizer.ts';
import type { Caller } from './guard.ts';
import { MessageRoom, type MessageType } from './limits/message-room.ts';
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
interface Source<T, Message> {
  /** The action of the list: its tokens are for no other. */
  list: Action;
  /** What the caller must be allowed to do on an item to be shown it. */
  shows: { action: Action; of: 'config' | 'lease' | 'gateway' };
  /** Up to `limit` items that come after the named one; fewer only at the end. */
  read(after: string | undefined, limit: number): Promise<T[]>;
  nameOf(item: NoInfer<T>): string;
  resourceOf(item: NoInfer<T>): Resource | Promise<Resource>;
  /** The item as its caller sees it. */
  messageOf(item: NoInfer<T>): Message | Promise<Message>;
  /** Of these messages. */
  type: MessageType<NoInfer<Message>>;
}

/** Pages of lists that hold no more than their callers may see, and fit into a message that every client takes. */
export class Lists {
  readonly #tokens: PageTokens;
  readonly #turns = new Turns();

  constructor(tokens: PageTokens) {
    this.#tokens = tokens;
  }

  /** The page that `pageToken` leads to, under the filters `query`. Throws InvalidArgument. */
  async page<T, Message>(
    { pageSize, pageToken }: { pageSize: number; pageToken: string },
    query: object,
    caller: Caller,
    source: Source<T, Message>,
  ): Promise<{ items: Message[]; nextPageToken: string }> {
    const use = { holder: caller.name, list: source.list, query };
    const after = this.#tokens.read(pageToken, use);
    const { items, last } = await this.#turns.take(caller.name, () => pageAfter(source, caller, after, pageSize));
    return { items, nextPageToken: last === undefined ? '' : this.#tokens.write(last, use) };
  }
}

/**
 * Up to `limit` items that the caller may see, as many as fit; `last`: the last that was looked at before the first that
 * was left out, where there may be more.
 */
async function pageAfter<T, Message>(
  source: Source<T, Message>,
  caller: Caller,
  after: string | undefined,
  limit: number,
): Promise<{ items: Message[]; last: string | undefined }> {
  const look = lookingAs(caller, source);
  const items: Message[] = [];
  const room = new MessageRoom(source.type);
  let last = after;
  // One more than wanted tells whether there is a next page.
  let size = Math.min(limit + 1, MAX_LOT);
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += size, size = MAX_LOT) {
    caller.signal.throwIfAborted();
    const lot = await source.read(last, size);
    const { seen, lastLookedAt = last, isOver } = await look(lot, limit + 1 - items.length);
    const messages = await Promise.all(seen.map(async (item) => [item, await source.messageOf(item)] as const));
    for (const [item, message] of messages) {
      if (items.length === limit || !room.takes(message)) {
        return { items, last };
      }
      items.push(message);
      last = source.nameOf(item);
    }
    last = lastLookedAt;
    if (isOver) {
      return { items, last };
    }
    if (lot.length < size) {
      return { items, last: undefined };
    }
  }
  return { items, last };
}

/** What was found in looking at a lot. */
interface Look<T> {
  seen: T[];
  /** undefined: it was empty. */
  lastLookedAt: string | undefined;
  /** Whether it took as long as a page may, so that the rest was not looked at. */
  isOver: boolean;
}

/**
 * Picks up to `most` items of a lot that the caller sees, within the time that a page may take. Who sees all does not
 * keep the policies busy.
 */
function lookingAs<T, Message>(caller: Caller, { shows: { action, of }, nameOf, resourceOf }: Source<T, Message>) {
  const seesAll = caller.may(action, { kind: 'any', of });
  const pace = new Pace(seesAll ? Number.POSITIVE_INFINITY : MAX_MS);
  return async (lot: readonly T[], most: number): Promise<Look<T>> => {
    const seen: T[] = [];
    let lastLookedAt: string | undefined;
    for (const item of lot) {
      if (seesAll || caller.may(action, await resourceOf(item))) {
        seen.push(item);
      }
      lastLookedAt = nameOf(item);
      if (seen.length === most) {
        break;
      }
      if (await pace.isOver()) {
        return { seen, lastLookedAt, isOver: true };
      }
    }
    return { seen, lastLookedAt, isOver: false };
  };
}
