import pLimit from 'p-limit';

/**
 * Runs `work` when it is asked for, one run after the other. What is asked for during a run is one more run after it,
 * however often. `work` handles its own errors.
 */
export function oneAtATime(work: () => Promise<unknown>): () => void {
  const limit = pLimit(1);
  return () => {
    if (limit.pendingCount === 0) {
      void limit(work);
    }
  };
}
