import { status } from '@grpc/grpc-js';
import type { Frame, Open } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Accepting, type Use } from './accepting.ts';
import type { Channel } from './channel.ts';
import { ChannelNotOpened, closeInsteadOfOpening, type NotOpenedReason } from './channel-errors.ts';
import type { Link, Member } from './link.ts';
import { Opening, type Patience } from './opening.ts';
import { Outbox } from './outbox.ts';
import { StreamEnd } from './stream-end.ts';
import { openOf, type Target, targetOf } from './target.ts';

/** What a channel is asked for. */
export interface Asked {
  target: Target;
  /** Empty, except in Forward. */
  gatewayUid: string;
}

export interface MultiplexerOptions {
  /** Puts frames on the stream. Called at most once per turn of the event loop, with all that was ready. */
  send(frames: Frame[]): void;
  /**
   * Decides about a channel that the other side asks for: resolves with what to do once it is open, or throws
   * ChannelNotOpened. Left out: all are refused. `signal` aborts when the other side gives up; where that comes too late,
   * the channel that is handed over is destroyed at once.
   */
  accept?: ((asked: Asked, signal: AbortSignal) => Promise<Use>) | undefined;
  /** Told when the other side breaks the rules of the stream as a whole; the multiplexer is closed by then. */
  fail?: ((why: Error) => void) | undefined;
  /** Channels at a time, those that are being opened included; more are refused. Default: 512. */
  maxChannels?: number | undefined;
}

export interface OpenOptions extends Patience {
  /** For Forward. */
  gatewayUid?: string | undefined;
}

const MAX_CHANNELS = 512;
/** `unreachable`: there may be room at another agent, or here a little later, where `refused` would be final. */
const TOO_MANY = 'there are too many channels';

/** Numbers are uint32. */
const LAST_NUMBER = 0xffff_ffff;

/** Channels over one stream of frames. Only one side of a stream opens them. */
export class Multiplexer {
  readonly #options: MultiplexerOptions;
  readonly #outbox: Outbox;
  readonly #members = new Map<number, Member>();
  readonly #maxChannels: number;
  #lastNumber = 0;
  #refusals = 0;
  #closedBy: Error | undefined;

  constructor(options: MultiplexerOptions) {
    this.#options = options;
    this.#maxChannels = options.maxChannels ?? MAX_CHANNELS;
    this.#outbox = new Outbox((frames) => options.send(frames));
  }

  /** Those that are being opened included. */
  get channels(): number {
    return this.#members.size;
  }

  /** Opens a channel. Rejects with ChannelNotOpened. */
  async open(target: Target, options: OpenOptions): Promise<Channel> {
    if (this.#closedBy) {
      throw new ChannelNotOpened('lost', `the stream is gone: ${this.#closedBy.message}`, { cause: this.#closedBy });
    }
    if (options.signal?.aborted) {
      throw new ChannelNotOpened('timeout', 'the channel is not waited for any more', { cause: options.signal.reason });
    }
    if (this.#isFull()) {
      throw new ChannelNotOpened('unreachable', TOO_MANY);
    }
    if (this.#lastNumber === LAST_NUMBER) {
      const why = new StreamEnd(status.RESOURCE_EXHAUSTED, 'the stream has no number left for a channel');
      this.#fail(why);
      throw new ChannelNotOpened('lost', why.message);
    }
    this.#lastNumber += 1;
    const link = this.#linkOf(this.#lastNumber);
    const opening = new Opening(link, options);
    link.send({ $case: 'open', value: openOf(target, options.gatewayUid ?? '') });
    const channel = await opening.channel;
    if (channel.destroyed) {
      // It broke in the turn in which it was opened: its events are over before anybody could listen.
      throw new ChannelNotOpened('lost', channel.errored?.message ?? 'the channel closed at once');
    }
    return channel;
  }

  /** Takes the frames of the other side. Never throws: a frame that breaks the rules breaks its channel. */
  receive(frames: readonly Frame[]): void {
    for (const { channel, kind } of frames) {
      if (kind?.$case === 'open') {
        this.#receiveOpen(channel, kind.value);
      } else if (kind) {
        this.#members.get(channel)?.receive(kind);
      }
    }
  }

  /** The stream is gone: its channels break, and opens that wait reject with `lost`. May be repeated. */
  close(why: Error): void {
    if (this.#closedBy) {
      return;
    }
    this.#closedBy = why;
    for (const member of [...this.#members.values()]) {
      member.lose(why);
    }
    this.#members.clear();
    this.#outbox.discard();
  }

  #receiveOpen(number: number, open: Open): void {
    if (this.#closedBy) {
      return;
    }
    if (number <= this.#lastNumber) {
      this.#fail(
        new StreamEnd(status.INVALID_ARGUMENT, `the other side opened channel ${number} after ${this.#lastNumber}`),
      );
      return;
    }
    this.#lastNumber = number;
    const { accept } = this.#options;
    const target = targetOf(open);
    if (accept === undefined) {
      this.#refuseForGood(number);
    } else if (target === undefined) {
      this.#refuse(number, 'there is no such kind of target here');
    } else if (this.#isFull()) {
      this.#refuse(number, TOO_MANY, 'unreachable');
    } else {
      const asked = { target, gatewayUid: open.gatewayUid };
      new Accepting(this.#linkOf(number), (signal) => accept(asked, signal));
    }
  }

  /** Who goes on asking, and does not read the answers, would have them gather here. */
  #refuseForGood(number: number): void {
    this.#refusals += 1;
    if (this.#refusals > this.#maxChannels) {
      this.#fail(new StreamEnd(status.INVALID_ARGUMENT, 'the other side opens channels, though it must not'));
    } else {
      this.#refuse(number, 'channels are opened from the other side only');
    }
  }

  #refuse(number: number, why: string, reason: NotOpenedReason = 'refused'): void {
    const close = closeInsteadOfOpening(new ChannelNotOpened(reason, why));
    this.#linkOf(number).send({ $case: 'close', value: close });
  }

  #isFull(): boolean {
    return this.#members.size >= this.#maxChannels;
  }

  #fail(why: Error): void {
    this.close(why);
    this.#options.fail?.(why);
  }

  #linkOf(channel: number): Link {
    return {
      send: (step) => this.#outbox.add({ channel, kind: step }),
      become: (member) => void this.#members.set(channel, member),
      leave: () => void this.#members.delete(channel),
    };
  }
}
