import { expect, test, vi } from 'vitest';
import { ApiDoor } from '../../src/gateway/api-door.ts';
import { CallsUnderWay } from '../../src/gateway/calls-under-way.ts';
import { LIST_ACCEPT, listQuery } from '../../src/shared/kubernetes/metadata-page.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { tunnelOf } from '../support/tunnel.ts';

const LABELS = { 'app.kubernetes.io/managed-by': 'leasehold', 'leasehold.dev/installation': 'test' };
const LIST = `GET /api/v1/namespaces/team/serviceaccounts${listQuery(LABELS, 500, undefined)} HTTP/1.1\r\nhost: gateway\r\naccept: ${LIST_ACCEPT}\r\n\r\n`;
const GET = 'GET /version HTTP/1.1\r\nhost: gateway\r\naccept: application/json\r\n\r\n';
const REFUSED = 'GET /api/v1/pods HTTP/1.1\r\nhost: gateway\r\naccept: application/json\r\n\r\n';

/** A door whose API server answers lists only when it is told to. */
function openDoor({ date }: { date?: string } = {}) {
  const listing = Promise.withResolvers<void>();
  const answer = { status: 200, contentType: 'application/json', date, body: Buffer.from('{}') };
  const asked: string[] = [];
  const apiServer = {
    async call({ isList, path }: { isList: boolean; path: string }) {
      asked.push(path);
      if (isList) {
        await listing.promise;
      }
      return answer;
    },
  };
  const door = new ApiDoor(apiServer, new CallsUnderWay(), createLogger('test', 'silent'));
  const { opener } = tunnelOf({ accept: async () => (channel) => door.serve(channel) });
  /** Sends requests over a channel of their own; what is answered so far is in `text`. */
  async function send(...requests: string[]) {
    const channel = await opener.open({ kind: 'api-server' }, { timeoutMs: PATIENCE_MS });
    const sent = { channel, text: '' };
    channel.on('data', (chunk: Buffer) => {
      sent.text += chunk.toString();
    });
    channel.write(requests.join(''));
    return sent;
  }
  return { send, asked, answerLists: () => listing.resolve() };
}

test('so many lists at a time are made, whose answers may be large; further ones are refused for now', async () => {
  const { send, asked, answerLists } = openDoor();
  const lists = await Promise.all(Array.from({ length: 16 }, () => send(LIST)));
  await vi.waitFor(() => expect(asked).toHaveLength(16), { timeout: PATIENCE_MS });
  const late = await send(LIST);
  await vi.waitFor(() => expect(late.text).toContain('429'), { timeout: PATIENCE_MS });
  const other = await send(GET);
  await vi.waitFor(() => expect(other.text).toContain('200'), { timeout: PATIENCE_MS });

  answerLists();
  await vi.waitFor(() => expect(lists.every(({ text }) => text.includes('200'))).toBe(true), { timeout: PATIENCE_MS });
  const again = await send(LIST);
  await vi.waitFor(() => expect(again.text).toContain('200'), { timeout: PATIENCE_MS });
});

test('a channel ends with what was refused on it, though the other side keeps its end open', async () => {
  const { send } = openDoor();
  const { channel } = await send(REFUSED);
  await vi.waitFor(() => expect(channel.destroyed).toBe(true), { timeout: PATIENCE_MS });
});

test.each([
  [
    'passes on that of its API server',
    GET,
    'Tue, 15 Nov 1994 08:12:31 GMT',
    /^date: Tue, 15 Nov 1994 08:12:31 GMT\r$/m,
  ],
  ['adds none of its own', GET, undefined, /^HTTP\/1.1 200/],
  ['adds none to what it refuses', REFUSED, undefined, /^HTTP\/1.1 403/],
])('Date is for the clock of the API server: the door %s', async (_, request, date, answer) => {
  const { text } = await vi.waitFor(async () => {
    const sent = await openDoor(date === undefined ? {} : { date }).send(request);
    await vi.waitFor(() => expect(sent.text).toMatch(answer));
    return sent;
  });
  expect(/^date:/im.test(text)).toBe(date !== undefined);
});
