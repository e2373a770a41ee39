import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cached-apiserver.ts';
import { canInstallPackages, ensureCommands } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';
import type { Progress } from './progress.ts';

/** A redis-server to start as a process: from PATH, else from Debian's package. */
export async function ensureRedisBinary(progress: Progress = ignore): Promise<string> {
  const onPath = findOnPath('redis-server');
  if (onPath !== undefined) {
    return onPath;
  }
  if (!canInstallPackages()) {
    throw new Error(
      'No Redis can be started here as a process that may be killed, stopped or joined to others. One of these two ' +
        'is needed: redis-server 7.0 or newer on PATH; or Debian with apt-get, as root, to install it.',
    );
  }
  await mkdir(cacheFolder(), { recursive: true });
  await ensureCommands({ 'redis-server': 'redis-server' }, join(cacheFolder(), 'install.log'), progress);
  return 'redis-server';
}

function ignore(): void {}
