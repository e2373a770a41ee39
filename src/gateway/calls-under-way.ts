import { EventEmitter, once } from 'node:events';

/** How many calls are being made, so that an agent that stops can let them end. */
export class CallsUnderWay {
  #count = 0;
  readonly #events = new EventEmitter<{ idle: [] }>();

  get count(): number {
    return this.#count;
  }

  /** Returns what ends the call; to end it again does nothing. */
  begin(): () => void {
    let isOpen = true;
    this.#count += 1;
    return () => {
      if (isOpen) {
        isOpen = false;
        this.#count -= 1;
        if (this.#count === 0) {
          this.#events.emit('idle');
        }
      }
    };
  }

  /** Resolves when no call is under way, and after `withinMs` in any case. */
  async ended(withinMs: number): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), withinMs);
    try {
      while (this.#count > 0 && !deadline.signal.aborted) {
        await once(this.#events, 'idle', { signal: deadline.signal });
      }
    } catch (error) {
      if (!deadline.signal.aborted) {
        throw error;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
