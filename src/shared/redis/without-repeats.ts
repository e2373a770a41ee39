const SILENCE_MS = 5_000;

/** Tells of an error once in a while: where a node of Redis is away, each call fails in the same way. */
export function withoutRepeats(tell: (error: Error) => void): (error: Error) => void {
  const toldAt = new Map<string, number>();
  return (error) => {
    const now = Date.now();
    for (const [message, time] of toldAt) {
      if (now - time >= SILENCE_MS) {
        toldAt.delete(message);
      }
    }
    if (!toldAt.has(error.message)) {
      toldAt.set(error.message, now);
      tell(error);
    }
  };
}
