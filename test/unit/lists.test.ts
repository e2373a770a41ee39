import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Caller } from '../../src/server/guard.ts';
import { Lists } from '../../src/server/lists.ts';
import { PageTokens } from '../../src/server/requests/page-token.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import type { Resource } from '../../src/shared/ports/authorizer.ts';

const secret = new Secret(randomBytes(32).toString('base64url'));
const lists = new Lists(new PageTokens({ derive: () => secret, deriveAll: () => [secret] }));

/** `item-0000` and so on; the caller sees those. */
function listOf(
  count: number,
  sees: (index: number) => boolean,
  name = 'apikey:reader',
  sizeOf: (index: number) => number = () => 100,
) {
  const names = Array.from({ length: count }, (_, index) => `item-${String(index).padStart(4, '0')}`);
  const asked: string[] = [];
  let readItems = 0;
  const leave = new AbortController();
  const caller = {
    name,
    signal: leave.signal,
    may: (_action: string, resource: Resource) => {
      const name = resource.kind === 'gateway' ? resource.name : '';
      asked.push(name);
      return resource.kind === 'any' ? names.every((_name, index) => sees(index)) : sees(names.indexOf(name));
    },
  } as Caller;
  const page = (pageSize: number, pageToken = '') =>
    lists.page({ pageSize, pageToken }, {}, caller, {
      list: 'ListGateways',
      shows: { action: 'GetGateway', of: 'gateway' },
      async read(after = '', limit): Promise<string[]> {
        const found = names.filter((name) => name > after).slice(0, limit);
        readItems += found.length;
        return found;
      },
      nameOf: (name) => name,
      resourceOf: (name) => ({ kind: 'gateway', name }),
      messageOf: (name: string) => name,
      type: { encode: (name) => ({ finish: () => new Uint8Array(sizeOf(names.indexOf(name))) }) },
    });
  return { names, asked, page, readItems: () => readItems, leave: () => leave.abort() };
}

async function pagesOf({ page }: ReturnType<typeof listOf>, size: number) {
  const pages: string[][] = [];
  let token = '';
  do {
    const { items, nextPageToken } = await page(size, token);
    pages.push(items);
    token = nextPageToken;
  } while (token !== '');
  return pages;
}

test.each([
  [0, [[]]],
  [1, [['item-0000']]],
  [2, [['item-0000', 'item-0001']]],
  [3, [['item-0000', 'item-0001'], ['item-0002']]],
])('%i items that may be seen, two a page', async (count, pages) => {
  expect(
    await pagesOf(
      listOf(count, () => true),
      2,
    ),
  ).toEqual(pages);
});

test('whoever may see all is asked about once', async () => {
  const list = listOf(1_000, () => true);
  expect((await list.page(1_000)).items).toEqual(list.names);
  expect(list.asked).toEqual(['']);
});

test.each([1, 3, 250, 1_000])('pages of %i hold all that may be seen, once, in their order', async (size) => {
  const list = listOf(1_500, (index) => index % 7 === 3);
  const pages = await pagesOf(list, size);
  expect(pages.flat()).toEqual(list.names.filter((_name, index) => index % 7 === 3));
  expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
  expect(pages.at(-1)).not.toEqual([]);
});

test('what may not be seen ends a page after 2,000 items, and the next goes on there', async () => {
  const list = listOf(5_000, (index) => index === 4_900);
  const first = await list.page(100);
  expect(first.items).toEqual([]);
  expect(list.readItems()).toBeLessThanOrEqual(2_200);
  expect(Buffer.from(first.nextPageToken, 'base64url').toString('latin1')).not.toContain('item-');
  expect((await pagesOf(list, 100)).flat()).toEqual(['item-4900']);
});

/** As policies that take 2 ms to answer. */
function slowly(index: number): boolean {
  const until = performance.now() + 2;
  while (performance.now() < until) {
    // Busy, as Cedar is.
  }
  return index < 0;
}

test('a list that takes long ends its page, and others are served meanwhile', async () => {
  let served = 0;
  const serving = setInterval(() => served++, 1);
  const { page, asked } = listOf(2_000, slowly);
  const { items, nextPageToken } = await page(100);
  clearInterval(serving);
  expect(items).toEqual([]);
  expect(nextPageToken).not.toBe('');
  expect(asked.length).toBeLessThan(500);
  expect(served).toBeGreaterThan(5);
});

test('lists of one caller wait for each other, not those of others', async () => {
  const [first, second, other] = [listOf(300, slowly), listOf(300, slowly), listOf(3, () => true, 'apikey:other')];
  const ends: string[] = [];
  const pages = [
    first.page(1).then(() => ends.push('first')),
    second.page(1).then(() => ends.push('second')),
    other.page(1).then(() => ends.push('other')),
  ];
  await other.page(1);
  expect(second.readItems()).toBe(0);
  await Promise.all(pages);
  expect(ends).toEqual(['other', 'first', 'second']);
});

test('for a caller that has left nothing is read any more', async () => {
  const { page, leave, readItems } = listOf(3, () => true);
  leave();
  await expect(page(1)).rejects.toThrow('abort');
  expect(readItems()).toBe(0);
});

const KIB = 1024;
/** What gRPC clients take by default. */
const CLIENTS_TAKE = 4 * KIB * KIB;

test.each<[string, number, (index: number) => number, number]>([
  ['80 items of 60 KiB', 80, () => 60 * KIB, 1_000],
  ['1,000 items of 4 KiB', 1_000, () => 4 * KIB, 1_000],
  ['1,500 items of which one in ten is large', 1_500, (index) => (index % 10 === 0 ? 500 * KIB : 10), 700],
  ['small ones after one that is larger than a page', 30, (index) => (index === 0 ? 3_000 * KIB : 100), 10],
  ['small ones before one that is larger than a page', 30, (index) => (index === 29 ? 3_000 * KIB : 100), 100],
  ['only such that are larger than a page', 5, () => 3_000 * KIB, 100],
])('%s: each page fits, and together they hold every item once', async (_, count, sizeOf, pageSize) => {
  const list = listOf(count, () => true, 'apikey:reader', sizeOf);
  const pages = await pagesOf(list, pageSize);
  expect(pages.flat()).toEqual(list.names);
  for (const page of pages) {
    const bytes = page.reduce((sum, name) => sum + sizeOf(list.names.indexOf(name)), 0);
    expect(bytes).toBeLessThan(CLIENTS_TAKE);
    expect(page.length).toBeGreaterThan(0);
  }
});

test('a page that is full reads no further than the lot in which it became so', async () => {
  const list = listOf(
    2_000,
    () => true,
    'apikey:reader',
    () => 60 * KIB,
  );
  const { items } = await list.page(1_000);
  expect(items.length).toBeGreaterThan(10);
  expect(list.readItems()).toBeLessThanOrEqual(200);
});

test('pages that are cut by their size hold only what may be seen', async () => {
  const list = listOf(
    600,
    (index) => index % 3 === 0,
    'apikey:reader',
    () => 60 * KIB,
  );
  const pages = await pagesOf(list, 1_000);
  expect(pages.flat()).toEqual(list.names.filter((_name, index) => index % 3 === 0));
});
