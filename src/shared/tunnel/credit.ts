/** Bytes that a side may send before the other side grants more. */
export const WINDOW = 128 * 1024;

/** Bytes of one data frame. */
export const MAX_DATA = 32 * 1024;

/** What one side of a channel may still send, as seen by the side that receives it. */
export class GrantedCredit {
  #left = WINDOW;

  /** Whether so many bytes were allowed to come. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /**
   * How many bytes more the other side may send, once `unread` bytes are all that the reader did not take. In halves of the
   * window, so that small reads do not cost a frame each; 0 until then.
   */
  renew(unread: number): number {
    const taken = WINDOW - this.#left - unread;
    if (taken < WINDOW / 2) {
      return 0;
    }
    this.#left += taken;
    return taken;
  }
}
