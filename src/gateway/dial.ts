import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../shared/telemetry/logger.ts';
import { ChannelNotOpened } from '../shared/tunnel/channel-errors.ts';
import { join } from '../shared/tunnel/join.ts';
import type { CallsUnderWay } from './calls-under-way.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Of a refused target, in characters, for the log. */
const MAX_SHOWN = 256;

/** What network-path channels lead to. The agent sees only TLS go through. */
export class Dialler {
  readonly #targets: ReadonlySet<string>;
  readonly #calls: CallsUnderWay;
  readonly #log: Logger;

  /** `targets`: `host:port` in lower case. */
  constructor(targets: ReadonlySet<string>, calls: CallsUnderWay, log: Logger) {
    this.#targets = targets;
    this.#calls = calls;
    this.#log = log;
  }

  /**
   * Connects to a target of the settings, and to nothing else. Both are in their canonical form, so an address counts by its
   * letters: another way to write one (a trailing dot, a decimal IP) is another target. Returns what joins a channel to it. Throws ChannelNotOpened.
   */
  async dial(address: string, signal: AbortSignal): Promise<(channel: Duplex) => void> {
    const target = address.toLowerCase();
    if (!this.#targets.has(target)) {
      this.#log.warn({ target: address.slice(0, MAX_SHOWN) }, 'refused a target');
      throw new ChannelNotOpened('refused', 'LEASEHOLD_GATEWAY_TARGETS of the agent does not have this target');
    }
    const socket = await connectTo(target, AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]));
    return (channel) => {
      this.#watch(channel, socket);
      join(channel, socket);
    };
  }

  /** What goes through is TLS. Most likely a call is under way while the last word is the caller's. */
  #watch(channel: Duplex, socket: Socket): void {
    let end: (() => void) | undefined;
    const settle = () => {
      end?.();
      end = undefined;
    };
    channel.on('data', () => {
      end ??= this.#calls.begin();
    });
    socket.on('data', settle);
    socket.on('close', settle);
  }
}

async function connectTo(target: string, signal: AbortSignal): Promise<Socket> {
  const colon = target.lastIndexOf(':');
  const host = target.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const socket = connect({
    host,
    port: Number(target.slice(colon + 1)),
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
  });
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    const problem = signal.aborted ? 'no connection in time' : ((error as NodeJS.ErrnoException).code ?? 'failed');
    throw new ChannelNotOpened('unreachable', `${target} cannot be reached: ${problem}`, { cause: error });
  }
}
