import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { parseJson } from '../../shared/domain/parse-json.ts';

const Content = z.object({ last: z.string().max(253), query: z.unknown() });

/** Opaque to callers: the last item of the page before, and the query that it belongs to (AIP-158). */
export function writePageToken(last: string, query: object): string {
  return Buffer.from(JSON.stringify({ last, query })).toString('base64url');
}

/** The last item of the page before; undefined for the first page. Throws InvalidArgument for another query's token. */
export function readPageToken(token: string, query: object): string | undefined {
  if (token === '') {
    return undefined;
  }
  const content = Content.safeParse(parseJson(Buffer.from(token, 'base64url').toString()));
  if (!content.success) {
    throw new InvalidArgument([{ field: 'page_token', description: 'is not a next_page_token of this list' }]);
  }
  if (!isDeepStrictEqual(content.data.query, query)) {
    throw new InvalidArgument([{ field: 'page_token', description: 'belongs to a list with other filters' }]);
  }
  return content.data.last;
}
