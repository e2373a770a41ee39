import { type Duplex, pipeline } from 'node:stream';

/**
 * Makes one of two byte streams, as who stands between them does. What ends on one side ends on the other, and what closes
 * or breaks takes the other with it. Both must allow to be half open; a slow one slows the other down.
 */
export function join(one: Duplex, other: Duplex): void {
  // What broke is told by the streams themselves, which pipeline destroys with it.
  pipeline(one, other, () => undefined);
  pipeline(other, one, () => undefined);
}
