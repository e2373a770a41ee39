import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface FileWatch {
  /** Between two looks at the file. */
  intervalMs: number;
  /** What was read at the start: only another content is a change. */
  known: Buffer;
  /** Takes a new content. Where it throws, what was in force stays so, and the file is offered again at the next look. */
  onChange(content: Buffer): void | Promise<void>;
  /** Called once for each kind of failure in a row, not at each look. */
  onError(error: Error): void;
}

/**
 * Looks at the content of a file again and again. Events of the file system would miss what Kubernetes does to mounted
 * Secrets, and network file systems have none. Keeps a hash of the content only. Returns what ends it.
 */
export function watchFile(path: string, { intervalMs, known, onChange, onError }: FileWatch): () => void {
  let accepted = hashOf(known);
  let told = '';
  let isLooking = false;

  async function look(): Promise<void> {
    try {
      const content = await readFile(path);
      if (hashOf(content) !== accepted) {
        await onChange(content);
        accepted = hashOf(content);
      }
      told = '';
    } catch (error) {
      tell(error as Error);
    }
  }

  function tell(error: Error): void {
    if (error.message !== told) {
      told = error.message;
      onError(error);
    }
  }

  const timer = setInterval(() => {
    if (!isLooking) {
      isLooking = true;
      void look().finally(() => {
        isLooking = false;
      });
    }
  }, intervalMs).unref();
  return () => clearInterval(timer);
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('base64');
}
