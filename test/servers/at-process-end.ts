const cleanups = new Set<() => void>();

/** Runs a synchronous cleanup when this process exits, unless the returned function took it back before. */
export function atProcessEnd(cleanup: () => void): () => void {
  if (cleanups.size === 0) {
    process.on('exit', runAll);
  }
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size === 0) {
      process.off('exit', runAll);
    }
  };
}

/** Newest first: servers die before the folders that they write to are removed. */
function runAll(): void {
  for (const cleanup of [...cleanups].reverse()) {
    try {
      cleanup();
    } catch (error) {
      console.error('cleanup at process end failed:', error);
    }
  }
}
