/** Has the work of each caller done one piece after the other: whoever asks for much waits for itself, and not others for it. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  take<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(caller) ?? Promise.resolve()).then(work);
    const over = turn
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.#last.get(caller) === over) {
          this.#last.delete(caller);
        }
      });
    this.#last.set(caller, over);
    return turn;
  }
}
