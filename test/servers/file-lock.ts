import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Waits until no other process holds the lock of that file, and holds it until disposed. The kernel holds it for a
 * child (`flock`), so a process that crashed leaves none behind: the child ends once its standard input, our pipe, is
 * closed.
 */
export async function lockFile(path: string): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  const holder = spawn('flock', ['--exclusive', path, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder, 'spawn');
  const ended = once(holder, 'exit');
  // cat runs, and echoes, only once flock has got the lock.
  holder.stdin.write('locked?\n');
  await Promise.race([once(holder.stdout, 'data'), ended.then(() => failToLock(path))]);
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}

function failToLock(path: string): never {
  throw new Error(`flock could not lock ${path}`);
}
