import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Frame } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { MAX_DATA, WINDOW } from '../../src/shared/tunnel/credit.ts';
import { Multiplexer } from '../../src/shared/tunnel/multiplexer.ts';
import { eventually } from '../support/eventually.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { closing, openChannel, readAll, type Tunnel, tunnelOf } from '../support/tunnel.ts';

const TIMEOUT = { timeoutMs: PATIENCE_MS };
const API_SERVER = { kind: 'api-server' } as const;

function bytesOf(frames: Frame[]): number {
  return frames.reduce((sum, { kind }) => sum + (kind?.$case === 'data' ? kind.value.length : 0), 0);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await turn();
  }
}

test('bytes arrive whole and in order, both ways', async () => {
  const { near, far } = await openChannel();
  const [there, back] = [randomBytes(1_000_000), randomBytes(700_001)];
  near.end(there);
  far.end(back);
  const [atFar, atNear] = await Promise.all([readAll(far), readAll(near)]);
  expect(atFar.equals(there)).toBe(true);
  expect(atNear.equals(back)).toBe(true);
});

test('the other direction goes on when one has ended', async () => {
  const { near, far, tunnel } = await openChannel();
  near.end('question');
  expect((await readAll(far)).toString()).toBe('question');
  far.end('answer');
  expect((await readAll(near)).toString()).toBe('answer');
  await turns(2);
  expect([tunnel.opener.channels, tunnel.accepter.channels]).toEqual([0, 0]);
  const frames = [...tunnel.fromOpener, ...tunnel.fromAccepter];
  expect(frames.map(({ kind }) => kind?.$case)).not.toContain('close');
});

/** One thing that a user does with one end of a channel; `near` or not. */
const Action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ near: fc.boolean(), write: fc.integer({ min: 0, max: 100_000 }) }) },
  { weight: 3, arbitrary: fc.record({ near: fc.boolean(), read: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ near: fc.boolean(), end: fc.constant(true) }) },
);
type Action = typeof Action extends fc.Arbitrary<infer T> ? T : never;

/** An end of a channel, what was written to it, and what came out of it. */
class End {
  readonly channel: Duplex;
  readonly written: Buffer[] = [];
  readonly read: Buffer[] = [];
  readonly closed: Promise<Error | null>;
  most = 0;

  constructor(channel: Duplex) {
    this.channel = channel;
    this.closed = closing(channel);
    channel.on('data', (chunk: Buffer) => this.read.push(chunk));
  }

  async perform(action: Action): Promise<void> {
    if ('write' in action && !this.channel.writableEnded) {
      const chunk = randomBytes(action.write);
      this.written.push(chunk);
      this.channel.write(chunk);
    } else if ('read' in action) {
      action.read ? this.channel.resume() : this.channel.pause();
    } else if ('end' in action) {
      this.channel.end();
    } else if ('turns' in action) {
      await turns(action.turns);
    }
    this.most = Math.max(this.most, this.channel.readableLength);
  }
}

async function perform(actions: Action[], near: End, far: End): Promise<void> {
  for (const action of actions) {
    await ('near' in action && !action.near ? far : near).perform(action);
  }
}

function expectPrefix(read: Buffer[], written: Buffer[]): void {
  const [got, sent] = [Buffer.concat(read), Buffer.concat(written)];
  expect(got.equals(sent.subarray(0, got.length))).toBe(true);
}

test('whatever is written, read, paused and ended: all arrives in order, and never more than a window waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(Action, { maxLength: 40 }), async (actions) => {
      const { near: nearChannel, far: farChannel, tunnel } = await openChannel();
      const [near, far] = [new End(nearChannel), new End(farChannel)];
      await perform(actions, near, far);
      nearChannel.resume().end();
      farChannel.resume().end();
      expect(await Promise.all([near.closed, far.closed])).toEqual([null, null]);
      expect(Buffer.concat(far.read).equals(Buffer.concat(near.written))).toBe(true);
      expect(Buffer.concat(near.read).equals(Buffer.concat(far.written))).toBe(true);
      expect(Math.max(near.most, far.most)).toBeLessThanOrEqual(WINDOW);
      expect([tunnel.opener.channels, tunnel.accepter.channels]).toEqual([0, 0]);
    }),
    { numRuns: 200 },
  );
});

test('destroyed at any time: both sides close, and what was read is the beginning of what was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(Action, { maxLength: 20 }), fc.boolean(), async (actions, isNear) => {
      const { near: nearChannel, far: farChannel, tunnel } = await openChannel();
      const [near, far] = [new End(nearChannel), new End(farChannel)];
      await perform(actions, near, far);
      (isNear ? nearChannel : farChannel).destroy();
      (isNear ? farChannel : nearChannel).resume();
      await Promise.all([near.closed, far.closed]);
      expectPrefix(far.read, near.written);
      expectPrefix(near.read, far.written);
      expect([tunnel.opener.channels, tunnel.accepter.channels]).toEqual([0, 0]);
    }),
    { numRuns: 200 },
  );
});

test('destroying one side closes the other at once, with why', async () => {
  const { near, far } = await openChannel();
  const broken = closing(far);
  near.destroy(new Error('nobody wants it any more'.padEnd(1000, '.')));
  const error = await broken;
  expect(error).toMatchObject({ code: 'ECONNRESET' });
  expect(error?.message).toContain('nobody wants it any more....');
  expect(error?.message.length).toBeLessThan(300);
});

test('destroying without a reason is no end: the other side does not take what came for all', async () => {
  const { near, far } = await openChannel();
  const all = readAll(far);
  near.write('half of');
  await turns(2);
  near.destroy();
  await expect(all).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('what came up to its end can be read after the channel was closed', async () => {
  const { near, far, tunnel } = await openChannel();
  near.end(Buffer.alloc(WINDOW, 'x'));
  await turns(5);
  near.destroy();
  await turns(5);
  const closed = closing(far);
  const listeners = far.listenerCount('end');
  tunnel.accepter.receive([{ channel: 1, kind: { $case: 'close', value: { reason: 0, message: '' } } }]);
  expect(far.listenerCount('end')).toBe(listeners);
  expect((await readAll(far)).length).toBe(WINDOW);
  expect(await closed).toBeNull();
  await turns(2);
  expect(tunnel.fromAccepter.map(({ kind }) => kind?.$case)).toEqual(['opened']);
});

test('a write that waits for credit fails when the other side closes', async () => {
  const { near, far } = await openChannel();
  const written = new Promise((resolve) => near.write(Buffer.alloc(2 * WINDOW), resolve));
  far.end();
  await turns(5);
  far.destroy();
  expect(await written).toMatchObject({ code: 'ECONNRESET' });
  expect(near.destroyed).toBe(true);
});

test('a write after the other side closed fails', async () => {
  const { near, far } = await openChannel();
  far.end('all that there is');
  await turns(2);
  far.destroy();
  await turns(2);
  expect(near.destroyed).toBe(false);
  expect(await new Promise((resolve) => near.write('more', resolve))).toMatchObject({ code: 'ECONNRESET' });
  expect(near.destroyed).toBe(true);
});

test('a reader that does not read stops its own channel after a window, and no other', async () => {
  const opened: Duplex[] = [];
  const tunnel = tunnelOf({ accept: async () => (channel) => void opened.push(channel) });
  const [stuck, busy] = await Promise.all([
    tunnel.opener.open(API_SERVER, TIMEOUT),
    tunnel.opener.open(API_SERVER, TIMEOUT),
  ]);
  const [stuckFar, busyFar] = opened;
  stuck.write(Buffer.alloc(100_000_000));
  await turns(50);
  expect(stuckFar?.readableLength).toBe(WINDOW);
  expect(bytesOf(tunnel.fromOpener)).toBe(WINDOW);

  busy.end(randomBytes(3_000_000));
  expect((await readAll(busyFar as Duplex)).length).toBe(3_000_000);
  expect(stuckFar?.readableLength).toBe(WINDOW);

  stuck.end();
  expect((await readAll(stuckFar as Duplex)).length).toBe(100_000_000);
});

test('a writer hears that it must wait, and when it may go on', async () => {
  const { near, far } = await openChannel();
  let written = 0;
  while (near.write(randomBytes(10_000))) {
    written += 10_000;
  }
  expect(written).toBeLessThan(2 * WINDOW);
  const drained = new Promise((resolve) => near.once('drain', resolve));
  far.resume();
  await drained;
});

test('a reader that takes little by little gets all, for few frames of credit', async () => {
  const { near, far, tunnel } = await openChannel();
  near.end(randomBytes(1_000_000));
  let bytes = 0;
  far.on('readable', () => {
    for (let chunk = far.read(7); chunk !== null; chunk = far.read(7) ?? far.read()) {
      bytes += (chunk as Buffer).length;
    }
  });
  await new Promise((resolve) => far.once('end', resolve));
  expect(bytes).toBe(1_000_000);
  const credits = tunnel.fromAccepter.filter(({ kind }) => kind?.$case === 'credit');
  expect(credits.length).toBeLessThanOrEqual(1_000_000 / (WINDOW / 2));
});

test('frames keep to 32 KiB, and those of one turn go together', async () => {
  const batches: Frame[][] = [];
  const multiplexer = new Multiplexer({ send: (frames) => batches.push(frames) });
  const opening = Promise.all([multiplexer.open(API_SERVER, TIMEOUT), multiplexer.open(API_SERVER, TIMEOUT)]);
  await turn();
  expect(batches.map((frames) => frames.length)).toEqual([2]);
  multiplexer.receive([1, 2].map((channel) => ({ channel, kind: { $case: 'opened', value: {} } })));
  for (const channel of await opening) {
    channel.write(Buffer.alloc(MAX_DATA + 1));
  }
  await turn();
  expect(batches[1]?.map(({ kind }) => kind?.$case === 'data' && kind.value.length)).toEqual([
    MAX_DATA,
    1,
    MAX_DATA,
    1,
  ]);
});

test('frames may be small, for a reader that keeps up', async () => {
  const { far, tunnel } = await openChannel();
  let bytes = 0;
  far.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await turn();
  for (let i = 0; i < 40_000; i += 1) {
    tunnel.accepter.receive([data(1, Buffer.of(1))]);
  }
  expect(bytes).toBe(40_000);
});

test('a reader may always be behind, if frames are not mere crumbs', async () => {
  const { far, tunnel } = await openChannel();
  tunnel.accepter.receive([data(1, Buffer.of(1))]);
  for (let i = 0; i < 40_000; i += 1) {
    tunnel.accepter.receive([data(1, Buffer.alloc(32))]);
    far.read(32);
  }
  expect(far.destroyed).toBe(false);
  expect(far.readableLength).toBe(1);
});

test('a message is not kept in memory for the small part of it that nobody reads', async () => {
  const { far, tunnel } = await openChannel();
  const message = Buffer.alloc(1_000_000);
  tunnel.accepter.receive([data(1, message.subarray(0, 10))]);
  await eventually(async () => expect(far.readableLength).toBe(10));
  expect((far.read() as Buffer).buffer.byteLength).toBeLessThan(100_000);
});

const data = (channel: number, value: Uint8Array): Frame => ({ channel, kind: { $case: 'data', value } });
const credit = (channel: number, value: number): Frame => ({ channel, kind: { $case: 'credit', value } });
const end = (channel: number): Frame => ({ channel, kind: { $case: 'end', value: {} } });
const full = Array.from({ length: WINDOW / MAX_DATA }, () => data(1, Buffer.alloc(MAX_DATA)));

test.each<[string, Frame[]]>([
  ['sends more than it has credit for', [...full, data(1, Buffer.alloc(1))]],
  ['sends its window in crumbs', Array.from({ length: WINDOW / 8 }, () => data(1, Buffer.alloc(8)))],
  ['sends a frame that is too long', [data(1, Buffer.alloc(MAX_DATA + 1))]],
  ['sends an empty frame', [data(1, Buffer.alloc(0))]],
  ['sends after its end', [end(1), data(1, Buffer.alloc(1))]],
  ['grants more than the window', [credit(1, 1)]],
  ['opens what is open', [{ channel: 1, kind: { $case: 'opened', value: {} } }]],
])('a peer that %s has its channel closed, and the others go on', async (_, frames) => {
  const { near, far, tunnel } = await openChannel();
  const other = await openOther(tunnel);
  const broken = closing(near);
  tunnel.accepter.receive(frames);
  expect(await broken).toMatchObject({ message: expect.stringContaining('rules') });
  expect(far.destroyed).toBe(true);
  expect(far.readableLength).toBeLessThanOrEqual(WINDOW);
  expect(other.destroyed).toBe(false);
});

async function openOther({ opener }: Tunnel): Promise<Duplex> {
  return opener.open(API_SERVER, TIMEOUT);
}

test('what a listener throws breaks its channel, and no other', async () => {
  const { near, far, tunnel } = await openChannel();
  far.on('data', () => {
    throw new Error('a fault of the listener');
  });
  await turn();
  const broken = closing(near);
  expect(() => tunnel.accepter.receive([data(1, Buffer.of(1))])).not.toThrow();
  expect(await broken).toMatchObject({ message: expect.stringContaining('a fault of the listener') });
});
