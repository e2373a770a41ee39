import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { findOnPath } from './find-on-path.ts';
import { type Progress, withHeartbeat } from './progress.ts';
import { runLogged } from './run-logged.ts';

const runCaptured = promisify(execFile);

// RUNLEVEL=1 makes the maintainer scripts of a server's package leave its service alone.
const INSTALL_ENV = { RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
const WAIT_FOR_DPKG_LOCK = ['-o', 'DPkg::Lock::Timeout=600'];

/** Each key is a command that must be there, its value the package that brings it. */
export type Commands = Readonly<Record<string, string>>;

/** Whether this machine can install packages. */
export function canInstallPackages(): boolean {
  return findOnPath('apt-get') !== undefined && process.getuid?.() === 0;
}

/** Installs the packages of those commands that are not on PATH. */
export async function ensureCommands(commands: Commands, logFile: string, progress: Progress): Promise<void> {
  const packages = packagesToInstall(commands);
  if (packages.length > 0) {
    await installPackages(packages, logFile, progress);
  }
}

/** Installs packages, or brings them up to date. */
export async function installPackages(packages: readonly string[], logFile: string, progress: Progress): Promise<void> {
  if (!canInstallPackages()) {
    throw new Error(`these packages must be installed first, by root with apt-get: ${packages.join(' ')}`);
  }
  await withHeartbeat(progress, `installing Debian packages ${packages.join(' ')}`, async () => {
    await refreshPackageLists(logFile, progress);
    const install = [...WAIT_FOR_DPKG_LOCK, 'install', '-y', '--no-install-recommends', ...packages];
    await runLogged('apt-get', install, { logFile, env: INSTALL_ENV });
  });
}

function packagesToInstall(commands: Commands): string[] {
  const missing = Object.entries(commands).filter(([command]) => findOnPath(command) === undefined);
  return [...new Set(missing.map(([, packageName]) => packageName))];
}

/** One unreachable source need not hinder: the install that follows fails if what it needs is missing. */
async function refreshPackageLists(logFile: string, progress: Progress): Promise<void> {
  try {
    await runLogged('apt-get', ['update'], { logFile });
  } catch (error) {
    progress(`apt-get update had a problem, going on without: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Downloads a source package into a folder. Its sources of packages are this machine's own with `deb` turned into
 * `deb-src`, in a private place: the machine's configuration and lists stay as they are.
 */
export async function downloadSourcePackage(name: string, folder: string, logFile: string): Promise<void> {
  const options = await privateSourceLists(join(folder, 'apt'));
  await runLogged('apt-get', [...options, 'update'], { logFile });
  await runLogged('apt-get', [...options, 'source', '--download-only', '--only-source', name], {
    logFile,
    cwd: folder,
  });
}

async function privateSourceLists(folder: string): Promise<string[]> {
  const parts = join(folder, 'parts');
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  await Promise.all([parts, join(lists, 'partial'), join(cache, 'archives', 'partial')].map(makeFolder));
  for (const file of await machineSourceFiles()) {
    await writeFile(join(parts, basename(file)), asSourcesOfSource(await readFile(file, 'utf8')));
  }
  const settings = { 'Etc::sourcelist': '/dev/null', 'Etc::sourceparts': parts, 'State::lists': lists, Cache: cache };
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `Dir::${key}=${value}`]);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

/** Reads both notations: stanzas (`Types: deb`) and lines (`deb ...`). */
function asSourcesOfSource(text: string): string {
  return text.replace(/^Types:.*$/gim, 'Types: deb-src').replace(/^\s*deb(?=\s)/gm, 'deb-src');
}

async function machineSourceFiles(): Promise<string[]> {
  const [list, parts] = await Promise.all([aptPath('Dir::Etc::sourcelist/f'), aptPath('Dir::Etc::sourceparts/d')]);
  const names = await readdir(parts);
  const inParts = names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(parts, name));
  return (await isFile(list)) ? [list, ...inParts] : inParts;
}

async function aptPath(key: string): Promise<string> {
  const { stdout } = await runCaptured('apt-config', ['shell', 'FOUND', key]);
  const path = /^FOUND='(.*)'$/m.exec(stdout)?.[1];
  if (path === undefined) {
    throw new Error(`apt-config does not tell ${key}`);
  }
  return path;
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  });
  return found?.isFile() ?? false;
}
