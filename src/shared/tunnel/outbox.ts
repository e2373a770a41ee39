import type { Frame } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** Collects the frames of one turn of the event loop, so that they share the cost of one message. */
export class Outbox {
  readonly #send: (frames: Frame[]) => void;
  #frames: Frame[] = [];
  #timer: NodeJS.Immediate | undefined;

  constructor(send: (frames: Frame[]) => void) {
    this.#send = send;
  }

  add(frame: Frame): void {
    this.#frames.push(frame);
    this.#timer ??= setImmediate(() => {
      const frames = this.#frames;
      this.discard();
      this.#send(frames);
    });
  }

  /** What waits is not sent. */
  discard(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    this.#frames = [];
  }
}
