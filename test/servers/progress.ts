/** Takes one line for a human who waits. */
export type Progress = (line: string) => void;

const HEARTBEAT_MS = 20_000;

/** Says what is being done, and that it still goes on, until the work ends. */
export async function withHeartbeat<T>(progress: Progress, what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  progress(`${what} ...`);
  const heartbeat = setInterval(
    () => progress(`${what}: still at it after ${secondsSince(startedAt)} s`),
    HEARTBEAT_MS,
  );
  try {
    const result = await work();
    progress(`${what}: done in ${secondsSince(startedAt)} s`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}

function secondsSince(startedAt: number): number {
  return Math.round((Date.now() - startedAt) / 1000);
}
