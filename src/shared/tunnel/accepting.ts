import { Channel } from './channel.ts';
import { brokenBy, ChannelBroken, closeFor, closeInsteadOfOpening } from './channel-errors.ts';
import type { Link, Member, Step } from './link.ts';

/** What to do with a channel once it is open. */
export type Use = (channel: Channel) => void;

/** A channel that the other side asks for, and that is being decided about. */
export class Accepting implements Member {
  readonly #link: Link;
  readonly #givenUp = new AbortController();

  /** `decide` throws ChannelNotOpened. */
  constructor(link: Link, decide: (signal: AbortSignal) => Promise<Use>) {
    this.#link = link;
    link.become(this);
    void this.#answer(decide);
  }

  receive(step: Step): void {
    if (step.$case === 'close') {
      this.#giveUp(brokenBy(step.value));
    } else {
      const why = new ChannelBroken(`the other side sent ${step.$case} before the channel was open`);
      this.#link.send({ $case: 'close', value: closeFor(why) });
      this.#giveUp(why);
    }
  }

  lose(why: Error): void {
    this.#giveUp(why);
  }

  async #answer(decide: (signal: AbortSignal) => Promise<Use>): Promise<void> {
    try {
      this.#open(await decide(this.#givenUp.signal));
    } catch (error) {
      // Else nobody waits for the answer.
      if (!this.#givenUp.signal.aborted) {
        this.#link.send({ $case: 'close', value: closeInsteadOfOpening(error) });
        this.#link.leave();
      }
    }
  }

  #open(use: Use): void {
    const { signal } = this.#givenUp;
    // What was made ready for the channel is let go of in one way only: the channel closes.
    const channel = new Channel(signal.aborted ? NOBODY : this.#link);
    if (!signal.aborted) {
      this.#link.become(channel);
      this.#link.send({ $case: 'opened', value: {} });
    }
    try {
      use(channel);
    } catch (error) {
      channel.destroy(error instanceof Error ? error : new ChannelBroken(String(error)));
    }
    if (signal.aborted) {
      channel.destroy(signal.reason as Error);
    }
  }

  #giveUp(why: Error): void {
    this.#link.leave();
    this.#givenUp.abort(why);
  }
}

/** The link of a channel that nobody waits for any more. */
const NOBODY: Link = { send: () => undefined, become: () => undefined, leave: () => undefined };
