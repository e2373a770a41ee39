import type { Frame } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** All that 512 channels may have under way, by their credit. */
const MAX_BYTES = 64 * 1024 * 1024;

/** About what a frame takes in memory beside its data. */
const FRAME_BYTES = 256;

/**
 * What waits for the other side to read the stream. Credit bounds what one channel has there, but what was sent on it
 * stays when it closes: who goes on with new channels, and never reads, would have it grow without end.
 */
export class Backlog {
  #bytes = 0;

  /** Whether it has become too much. */
  get isTooLong(): boolean {
    return this.#bytes > MAX_BYTES;
  }

  /** Returns what is to be called once they are sent. */
  add(frames: readonly Frame[]): () => void {
    const bytes = frames.reduce((sum, { kind }) => sum + sizeOf(kind), 0);
    this.#bytes += bytes;
    return () => {
      this.#bytes -= bytes;
    };
  }
}

function sizeOf(kind: Frame['kind']): number {
  return FRAME_BYTES + (kind?.$case === 'data' ? kind.value.length : 0);
}
