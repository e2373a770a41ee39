/** Bytes that a side may send before the other side grants more. */
export const WINDOW = 128 * 1024;

/** Bytes of one data frame. */
export const MAX_DATA = 32 * 1024;

/** Frames of one window. Each costs more than its bytes, so a window in crumbs would take the memory of hundreds. */
const MAX_FRAMES = WINDOW / 16;

/** What one side of a channel may still send, as seen by the side that receives it. */
export class GrantedCredit {
  #left = WINDOW;
  #framesLeft = MAX_FRAMES;

  /** Whether a frame of so many bytes was allowed to come. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    this.#framesLeft -= 1;
    return this.#left >= 0 && this.#framesLeft >= 0;
  }

  /**
   * How many bytes more the other side may send, once `unread` bytes are all that the reader did not take. In halves of the
   * window, so that small reads do not cost a frame each; 0 until then.
   */
  renew(unread: number): number {
    if (unread === 0) {
      this.#framesLeft = MAX_FRAMES;
    }
    const taken = WINDOW - this.#left - unread;
    if (taken < WINDOW / 2) {
      return 0;
    }
    this.#left += taken;
    this.#framesLeft = MAX_FRAMES;
    return taken;
  }
}
