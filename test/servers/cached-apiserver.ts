import { mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildApiserver } from './build-apiserver.ts';
import { lockFile } from './file-lock.ts';
import { type Progress, withHeartbeat } from './progress.ts';

const PREFIX = 'kube-apiserver_';
const SUFFIX = `_${process.arch}`;

/** Where built binaries and logs of builds are kept. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'leasehold');
}

/** The newest kube-apiserver that an earlier build left in the cache. */
export async function findCachedApiserver(): Promise<string | undefined> {
  await mkdir(cacheFolder(), { recursive: true });
  const names = await readdir(cacheFolder());
  const newest = names
    .filter((name) => name.startsWith(PREFIX) && name.endsWith(SUFFIX))
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .at(-1);
  return newest === undefined ? undefined : join(cacheFolder(), newest);
}

/** Builds kube-apiserver into the cache, unless it is there or another process is at it: then waits for that. */
export async function ensureCachedApiserver(progress: Progress): Promise<string> {
  const cached = await findCachedApiserver();
  if (cached !== undefined) {
    return cached;
  }
  await using _lock = await withHeartbeat(progress, 'taking the lock of the kube-apiserver build', () =>
    lockFile(join(cacheFolder(), 'build.lock')),
  );
  return (await findCachedApiserver()) ?? (await build(progress));
}

function build(progress: Progress): Promise<string> {
  return buildApiserver({
    // Always the same folder: what an interrupted build left there is removed by the next one, which has the lock.
    workFolder: join(cacheFolder(), 'build'),
    logFile: join(cacheFolder(), 'build.log'),
    binaryFor: (version) => join(cacheFolder(), `${PREFIX}${version}${SUFFIX}`),
    progress,
  });
}
