import type { Duplex } from 'node:stream';

/** Makes one connection of two. Where one breaks, so does the other. */
export function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => undefined);
    from.once('close', () => {
      const hasEndedWell = from.readableEnded && from.writableFinished;
      if (!hasEndedWell) {
        to.destroy();
      }
    });
    if (from.destroyed) {
      to.destroy();
    }
  }
}
