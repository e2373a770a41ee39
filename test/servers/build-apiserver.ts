import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadSourcePackage, ensureCommands } from './debian-packages.ts';
import { type Progress, withHeartbeat } from './progress.ts';
import { runLogged } from './run-logged.ts';

const TOOLS = { go: 'golang-go', rsync: 'rsync', jq: 'jq', make: 'make', patch: 'patch', xz: 'xz-utils' };

export interface ApiserverBuild {
  /** Is emptied before and removed after; on the same file system as the binary. */
  workFolder: string;
  logFile: string;
  /** Where the finished binary of that Debian version belongs. */
  binaryFor(debianVersion: string): string;
  progress: Progress;
}

/** Builds kube-apiserver from Debian's source package `kubernetes`, and returns where it put the binary. */
export async function buildApiserver(build: ApiserverBuild): Promise<string> {
  const { workFolder, logFile, progress } = build;
  await removeFolder(workFolder);
  await rm(logFile, { force: true });
  await mkdir(workFolder, { recursive: true });
  try {
    await ensureCommands(TOOLS, logFile, progress);
    await withHeartbeat(progress, 'downloading the Debian source package kubernetes', () =>
      downloadSourcePackage('kubernetes', workFolder, logFile),
    );
    const version = debianVersion(await onlyFile(workFolder, /\.dsc$/));
    const tree = await unpack(workFolder, logFile);
    progress(`kube-apiserver ${version} takes about 5 minutes on 2 cores, only this once; see ${logFile}`);
    await withHeartbeat(progress, 'compiling kube-apiserver', () => compile(tree, workFolder, version, logFile));
    const binary = build.binaryFor(version);
    await rename(await onlyBinary(tree), binary);
    return binary;
  } finally {
    await removeFolder(workFolder);
  }
}

async function unpack(folder: string, logFile: string): Promise<string> {
  const tree = join(folder, 'tree');
  await mkdir(tree);
  const original = await onlyFile(folder, /\.orig\.tar\.\w+$/);
  const debian = await onlyFile(folder, /\.debian\.tar\.\w+$/);
  await runLogged('tar', ['-xf', join(folder, original), '--strip-components=1', '-C', tree], { logFile });
  await runLogged('tar', ['-xf', join(folder, debian), '-C', tree], { logFile });
  const patches = join(tree, 'debian', 'patches');
  for (const patch of patchNames(await readFile(join(patches, 'series'), 'utf8'))) {
    await runLogged('patch', ['-p1', '--batch', '-i', join(patches, patch)], { logFile, cwd: tree });
  }
  return tree;
}

function patchNames(series: string): string[] {
  return series
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*/, '').trim())
    .filter((name) => name !== '');
}

async function compile(tree: string, folder: string, version: string, logFile: string): Promise<void> {
  await requireFolder(join(tree, 'cmd', 'kube-apiserver'));
  await requireFolder(join(tree, 'vendor'));
  await runLogged('make', ['WHAT=cmd/kube-apiserver'], {
    logFile,
    cwd: tree,
    env: {
      KUBE_GIT_TREE_STATE: 'clean',
      KUBE_GIT_VERSION: kubernetesVersion(version),
      KUBE_GIT_COMMIT: 'debian',
      CGO_ENABLED: '0',
      GOLDFLAGS: '-s -w',
      GOFLAGS: '',
      GOENV: 'off',
      GOCACHE: join(folder, 'go-cache'),
      // All that is needed is in the source package: nothing may come from elsewhere unnoticed.
      GOPROXY: 'off',
      GOTOOLCHAIN: 'local',
    },
  });
}

async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!found) {
    throw new Error(`this release's source package kubernetes lacks ${path}: kube-apiserver can't be built from it`);
  }
}

async function onlyBinary(tree: string): Promise<string> {
  const platforms = join(tree, '_output', 'local', 'bin', 'linux');
  return join(platforms, await onlyFile(platforms, /./), 'kube-apiserver');
}

async function onlyFile(folder: string, pattern: RegExp): Promise<string> {
  const [name, ...others] = (await readdir(folder)).filter((entry) => pattern.test(entry));
  if (name === undefined || others.length > 0) {
    throw new Error(`expected exactly one ${pattern} in ${folder}`);
  }
  return name;
}

function debianVersion(dscName: string): string {
  return dscName.replace(/^kubernetes_/, '').replace(/\.dsc$/, '');
}

/** `1.20.5+really1.20.2-1.1+deb12u1` is Kubernetes v1.20.2, whatever it once claimed to be. */
function kubernetesVersion(version: string): string {
  const [, number] = /(?:.*\+really)?(\d+\.\d+\.\d+)/.exec(version) ?? [];
  if (number === undefined) {
    throw new Error(`no Kubernetes version in the package version ${version}`);
  }
  return `v${number}`;
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5 });
}
