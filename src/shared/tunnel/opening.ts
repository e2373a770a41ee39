import { Channel } from './channel.ts';
import { ChannelNotOpened, closeFor, notOpened } from './channel-errors.ts';
import type { Link, Member, Step } from './link.ts';

/** How long to wait for a channel. */
export interface Patience {
  timeoutMs: number;
  /** Gives up early. */
  signal?: AbortSignal | undefined;
}

/** A channel that the other side was asked for. */
export class Opening implements Member {
  readonly #link: Link;
  readonly #result = Promise.withResolvers<Channel>();
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;

  constructor(link: Link, { timeoutMs, signal }: Patience) {
    this.#link = link;
    this.#signal = signal;
    link.become(this);
    this.#timer = setTimeout(
      () => this.#giveUp(new ChannelNotOpened('timeout', `the channel was not opened within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Rejects with ChannelNotOpened. */
  get channel(): Promise<Channel> {
    return this.#result.promise;
  }

  receive(step: Step): void {
    switch (step.$case) {
      case 'opened': {
        this.#stopWaiting();
        const channel = new Channel(this.#link);
        this.#link.become(channel);
        this.#result.resolve(channel);
        break;
      }
      case 'close':
        this.#fail(notOpened(step.value));
        break;
      default:
        this.#giveUp(new ChannelNotOpened('lost', `the other side sent ${step.$case} before it opened the channel`));
    }
  }

  lose(why: Error): void {
    this.#fail(new ChannelNotOpened('lost', `the stream is gone: ${why.message}`, { cause: why }));
  }

  readonly #onAbort = (): void => {
    const cause: unknown = this.#signal?.reason;
    this.#giveUp(new ChannelNotOpened('timeout', 'the channel is not waited for any more', { cause }));
  };

  #giveUp(why: ChannelNotOpened): void {
    this.#link.send({ $case: 'close', value: closeFor(why) });
    this.#fail(why);
  }

  #fail(why: ChannelNotOpened): void {
    this.#stopWaiting();
    this.#link.leave();
    this.#result.reject(why);
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
