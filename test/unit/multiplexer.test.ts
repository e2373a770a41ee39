import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Frame } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import type { Channel } from '../../src/shared/tunnel/channel.ts';
import { ChannelNotOpened } from '../../src/shared/tunnel/channel-errors.ts';
import { type Asked, Multiplexer } from '../../src/shared/tunnel/multiplexer.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { closing, openChannel, readAll, tunnelOf } from '../support/tunnel.ts';

const TIMEOUT = { timeoutMs: PATIENCE_MS };
const API_SERVER = { kind: 'api-server' } as const;

const ignore = async () => () => undefined;
const never = () => new Promise<never>(() => undefined);
const open = (channel: number): Frame => ({
  channel,
  kind: { $case: 'open', value: { target: { $case: 'apiServer', value: {} }, gatewayUid: '' } },
});

test('what is asked for reaches who decides', async () => {
  const asked: Asked[] = [];
  const { opener } = tunnelOf({
    accept: async (what) => {
      asked.push(what);
      return () => undefined;
    },
  });
  await opener.open(API_SERVER, { ...TIMEOUT, gatewayUid: 'another-uid' });
  await opener.open({ kind: 'address', address: 'db.internal:5432' }, { ...TIMEOUT, gatewayUid: 'a-uid' });
  expect(asked).toEqual([
    { target: { kind: 'api-server' }, gatewayUid: 'another-uid' },
    { target: { kind: 'address', address: 'db.internal:5432' }, gatewayUid: 'a-uid' },
  ]);
  expect(opener.channels).toBe(2);
});

test.each(['refused', 'unreachable', 'not-attached'] as const)(
  'a channel that is %s is not opened, with the reason of the other side',
  async (reason) => {
    const { opener, accepter } = tunnelOf({
      accept: () => Promise.reject(new ChannelNotOpened(reason, `because ${'x'.repeat(1000)}`)),
    });
    const opening = opener.open(API_SERVER, TIMEOUT);
    await expect(opening).rejects.toBeInstanceOf(ChannelNotOpened);
    await expect(opening).rejects.toMatchObject({ reason, message: `because ${'x'.repeat(256 - 8)}` });
    expect([opener.channels, accepter.channels]).toEqual([0, 0]);
  },
);

test('what the other side says of why is cut, should it not do so itself', async () => {
  const { opener } = undecided();
  const opening = opener.open(API_SERVER, TIMEOUT);
  opener.receive([{ channel: 1, kind: { $case: 'close', value: { reason: 1, message: 'x'.repeat(1000) } } }]);
  await expect(opening).rejects.toMatchObject({ reason: 'refused', message: 'x'.repeat(256) });

  const { near, tunnel } = await openChannel();
  const broken = closing(near);
  tunnel.opener.receive([{ channel: 1, kind: { $case: 'close', value: { reason: 4, message: 'x'.repeat(1000) } } }]);
  expect((await broken)?.message.length).toBeLessThan(300);
});

test('what this side says of why is cut', async () => {
  const { near, tunnel } = await openChannel();
  near.destroy(new Error('x'.repeat(1000)));
  await turn();
  expect(tunnel.fromOpener.at(-1)?.kind).toEqual({
    $case: 'close',
    value: { reason: 4, message: 'x'.repeat(256) },
  });
});

test('an error of another kind while a channel is decided about counts as unreachable', async () => {
  const { opener } = tunnelOf({ accept: () => Promise.reject(new Error('connect ECONNREFUSED')) });
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({
    reason: 'unreachable',
    message: 'connect ECONNREFUSED',
  });
});

test('a side that does not accept refuses all, and breaks with a peer that does not stop', async () => {
  const fail = vi.fn();
  const { opener, accepter } = tunnelOf({ fail, maxChannels: 3 });
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({ reason: 'refused' });
  accepter.receive([open(2), open(3)]);
  expect(fail).not.toHaveBeenCalled();
  accepter.receive([open(4)]);
  expect(fail).toHaveBeenCalledOnce();
});

test('a target of an unknown kind is refused', async () => {
  const sent: Frame[] = [];
  const multiplexer = new Multiplexer({ accept: ignore, send: (frames) => sent.push(...frames) });
  multiplexer.receive([{ channel: 1, kind: { $case: 'open', value: { target: undefined, gatewayUid: '' } } }]);
  await turn();
  expect(sent).toMatchObject([{ channel: 1, kind: { $case: 'close', value: { reason: 1 } } }]);
});

test('there are so many channels at a time, on either side, and one that closes makes room', async () => {
  const { opener } = tunnelOf({ accept: ignore, maxChannels: 2 });
  const [first] = await Promise.all([opener.open(API_SERVER, TIMEOUT), opener.open(API_SERVER, TIMEOUT)]);
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({ reason: 'unreachable' });
  first.destroy();
  await turn();
  await opener.open(API_SERVER, TIMEOUT);

  const narrow = tunnelOf({ accept: ignore }, { maxChannels: 1 }).opener;
  await narrow.open(API_SERVER, TIMEOUT);
  await expect(narrow.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({ reason: 'unreachable' });
});

test('by default there are 512 channels', async () => {
  const { opener } = tunnelOf({ accept: ignore });
  await Promise.all(Array.from({ length: 512 }, () => opener.open(API_SERVER, TIMEOUT)));
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({ reason: 'unreachable' });
});

/** A tunnel whose other side decides never, and the signal that it was given. */
function undecided() {
  const signal = Promise.withResolvers<AbortSignal>();
  const tunnel = tunnelOf({
    accept: (_, given) => {
      signal.resolve(given);
      return never();
    },
  });
  return { ...tunnel, signal: signal.promise };
}

async function expectAborted(signal: AbortSignal): Promise<void> {
  await vi.waitFor(() => expect(signal.aborted).toBe(true), { timeout: PATIENCE_MS });
}

test('an open that takes too long is given up, on both sides', async () => {
  const { opener, accepter, signal } = undecided();
  await expect(opener.open(API_SERVER, { timeoutMs: 10 })).rejects.toMatchObject({ reason: 'timeout' });
  await expectAborted(await signal);
  expect([opener.channels, accepter.channels]).toEqual([0, 0]);
});

test('an open is given up by its signal, on both sides', async () => {
  const { opener, accepter, signal } = undecided();
  const given = new AbortController();
  const opening = opener.open(API_SERVER, { ...TIMEOUT, signal: given.signal });
  const decided = await signal;
  given.abort(new Error('enough'));
  await expect(opening).rejects.toMatchObject({ reason: 'timeout', cause: given.signal.reason });
  await expectAborted(decided);
  expect([opener.channels, accepter.channels]).toEqual([0, 0]);
  await expect(opener.open(API_SERVER, { ...TIMEOUT, signal: given.signal })).rejects.toMatchObject({
    reason: 'timeout',
  });
});

test('the time to open a channel is not the time that it has', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { opener } = tunnelOf({ accept: async () => (channel) => void channel.pipe(channel) });
  const channel = await opener.open(API_SERVER, TIMEOUT);
  vi.advanceTimersByTime(2 * TIMEOUT.timeoutMs);
  channel.end('still there');
  expect((await readAll(channel)).toString()).toBe('still there');
});

test('a signal that aborts once the channel is open does nothing', async () => {
  const given = new AbortController();
  const { opener } = tunnelOf({ accept: async () => (channel) => void channel.pipe(channel) });
  const channel = await opener.open(API_SERVER, { ...TIMEOUT, signal: given.signal });
  given.abort();
  channel.end('still there');
  expect((await readAll(channel)).toString()).toBe('still there');
});

test('who decides may fail when the other side gave up: nothing is answered', async () => {
  const failed = Promise.withResolvers<void>();
  const { opener, fromAccepter } = tunnelOf({
    accept: async (_, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      failed.resolve();
      throw signal.reason;
    },
  });
  await expect(opener.open(API_SERVER, { timeoutMs: 10 })).rejects.toMatchObject({ reason: 'timeout' });
  await failed.promise;
  await turn();
  await turn();
  expect(fromAccepter).toEqual([]);
});

test('a decision that comes too late is for a channel that closes at once, so that nothing is left behind', async () => {
  const decision = Promise.withResolvers<(channel: Channel) => void>();
  const { opener, accepter, fromAccepter } = tunnelOf({ accept: () => decision.promise });
  await expect(opener.open(API_SERVER, { timeoutMs: 10 })).rejects.toMatchObject({ reason: 'timeout' });
  await vi.waitFor(() => expect(accepter.channels).toBe(0), { timeout: PATIENCE_MS });
  const closed = new Promise((resolve) => decision.resolve((channel) => resolve(closing(channel))));
  expect(await closed).toBeInstanceOf(Error);
  await turn();
  expect(fromAccepter).toEqual([]);
});

test('what fails to use its channel breaks it', async () => {
  const { opener } = tunnelOf({
    accept: async () => () => {
      throw new Error('a fault of the user');
    },
  });
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({
    reason: 'lost',
    message: expect.stringContaining('a fault of the user'),
  });
});

test('frames of channels that are not open are ignored', async () => {
  const { near, far, tunnel } = await openChannel();
  for (const kind of [
    { $case: 'data', value: Buffer.of(1) },
    { $case: 'credit', value: 1 },
    { $case: 'end', value: {} },
    { $case: 'opened', value: {} },
    { $case: 'close', value: { reason: 0, message: '' } },
    undefined,
  ] as const) {
    tunnel.opener.receive([{ channel: 77, kind }]);
    tunnel.accepter.receive([{ channel: 77, kind }]);
  }
  near.end('still there');
  expect((await readAll(far)).toString()).toBe('still there');
});

test('the end of the stream breaks all channels and all opens that wait, once and for all', async () => {
  const stuck = vi.fn(never);
  const accepts = [ignore, stuck];
  const signals: AbortSignal[] = [];
  const { opener, accepter } = tunnelOf({
    accept: async (_, signal) => {
      signals.push(signal);
      return (await accepts.shift()?.()) ?? (() => undefined);
    },
  });
  const broken = closing(await opener.open(API_SERVER, TIMEOUT));
  const waiting = opener.open(API_SERVER, TIMEOUT);
  await vi.waitFor(() => expect(stuck).toHaveBeenCalled(), { timeout: PATIENCE_MS });

  const why = new Error('the agent went away');
  opener.close(why);
  opener.close(new Error('another'));
  accepter.close(why);
  await expect(waiting).rejects.toMatchObject({ reason: 'lost', message: expect.stringContaining('went away') });
  expect(await broken).toMatchObject({ code: 'ECONNRESET', message: expect.stringContaining('went away'), cause: why });
  await expect(opener.open(API_SERVER, TIMEOUT)).rejects.toMatchObject({ reason: 'lost', cause: why });
  expect(signals[1]?.aborted).toBe(true);
  expect([opener.channels, accepter.channels]).toEqual([0, 0]);
});

test('nothing is sent once the stream is gone', async () => {
  const send = vi.fn();
  const accept = vi.fn(ignore);
  const multiplexer = new Multiplexer({ send, accept });
  const opening = multiplexer.open(API_SERVER, TIMEOUT);
  multiplexer.close(new Error('gone'));
  multiplexer.receive([open(2)]);
  await expect(opening).rejects.toMatchObject({ reason: 'lost' });
  await turn();
  expect(send).not.toHaveBeenCalled();
  expect(accept).not.toHaveBeenCalled();
});

test('a number that was used before breaks the stream', async () => {
  const fail = vi.fn();
  const { tunnel, near } = await openChannel({ fail });
  const broken = closing(near);
  tunnel.accepter.receive([open(1)]);
  expect(fail).toHaveBeenCalledOnce();
  tunnel.opener.close(fail.mock.lastCall?.[0]);
  expect(await broken).toMatchObject({ message: expect.stringContaining('channel 1') });
});

test('data before the channel is open breaks the opening, on either side', async () => {
  const { opener, accepter, signal } = undecided();
  const opening = opener.open(API_SERVER, TIMEOUT);
  const decided = await signal;
  accepter.receive([{ channel: 1, kind: { $case: 'data', value: Buffer.of(1) } }]);
  expect(decided.aborted).toBe(true);
  await expect(opening).rejects.toMatchObject({ reason: 'lost' });

  const early = undecided();
  const second = early.opener.open(API_SERVER, TIMEOUT);
  await early.signal;
  early.opener.receive([{ channel: 1, kind: { $case: 'data', value: Buffer.of(1) } }]);
  await expect(second).rejects.toMatchObject({ reason: 'lost' });
  await expectAborted(await early.signal);
});
