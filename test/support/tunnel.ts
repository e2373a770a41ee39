import type { Duplex } from 'node:stream';
import type { Frame } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Frames } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import type { Channel } from '../../src/shared/tunnel/channel.ts';
import { Multiplexer, type MultiplexerOptions } from '../../src/shared/tunnel/multiplexer.ts';

/** Two multiplexers with a stream between them, in memory; what one sends is encoded, decoded and then received. */
export interface Tunnel {
  opener: Multiplexer;
  accepter: Multiplexer;
  /** All frames, in the order in which they were sent. */
  fromOpener: Frame[];
  fromAccepter: Frame[];
}

type Options = Omit<MultiplexerOptions, 'send'>;

export function tunnelOf(accepting: Options, opening: Options = {}): Tunnel {
  const fromOpener: Frame[] = [];
  const fromAccepter: Frame[] = [];
  const opener: Multiplexer = new Multiplexer({ ...opening, send: (frames) => pass(frames, fromOpener, accepter) });
  const accepter: Multiplexer = new Multiplexer({ ...accepting, send: (frames) => pass(frames, fromAccepter, opener) });
  return { opener, accepter, fromOpener, fromAccepter };
}

function pass(frames: Frame[], log: Frame[], to: Multiplexer): void {
  log.push(...frames);
  to.receive(Frames.decode(Frames.encode({ frames }).finish()).frames);
}

/** Opens a channel of a tunnel and returns both of its ends. */
export async function openChannel(
  tunnelOptions: Options = {},
): Promise<{ near: Channel; far: Channel; tunnel: Tunnel }> {
  const accepted = Promise.withResolvers<Channel>();
  const tunnel = tunnelOf({ accept: async () => accepted.resolve, ...tunnelOptions });
  const near = await tunnel.opener.open({ kind: 'api-server' }, { timeoutMs: 1000 });
  return { near, far: await accepted.promise, tunnel };
}

/** All that a channel brings until its end. A loop over it would destroy it at the end, and with it the other direction. */
export function readAll(channel: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    channel
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => resolve(Buffer.concat(chunks)))
      .on('close', () => reject(channel.errored ?? new Error('closed before the end')));
  });
}

/** Resolves with what a channel broke with, or null where it closed without an error. */
export function closing(channel: Duplex): Promise<Error | null> {
  return new Promise((resolve) => channel.on('close', () => resolve(channel.errored)));
}
