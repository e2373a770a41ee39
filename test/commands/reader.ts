import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { cacheFolder } from '../servers/cached-apiserver.ts';
import { ensureCommands } from '../servers/debian-packages.ts';
import { findOnPath } from '../servers/find-on-path.ts';
import type { Progress } from '../servers/progress.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { ROOT } from './documented.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const run = promisify(execFile);

/** What a reader has beside Node and npm, and the Debian package that brings it where it is not there. */
const TOOLS = { kubectl: 'kubernetes-client', openssl: 'openssl' };

/** kubectl got `create token` in that minor version. */
const CREATE_TOKEN_SINCE = 24;

/** How a cluster is started for the demo, and how packages are fetched. */
const KEPT_VARIABLES = /^(KUBEBUILDER_ASSETS|LANG|TMPDIR|DOCKER_\w+|https?_proxy|no_proxy)$/i;

/** Not of a checkout: what is installed, built or made there. */
const LEFT_OUT = new Set(['node_modules', '.git', 'coverage', 'test-results', 'security']);

/** Somebody who follows the pages: a fresh copy of the checkout after `npm ci`, and the tools that the pages expect. */
export interface Reader extends AsyncDisposable {
  /** The copy of the checkout. */
  checkout: string;
  /** Opens a terminal there, with this environment beside what every terminal of the reader has. */
  terminal(environment?: Record<string, string>): Terminal;
  write(file: string, text: string): Promise<void>;
  read(file: string): Promise<string>;
  /** The command lines that `docker` was called with. */
  dockerCalls(): Promise<string[][]>;
}

export async function becomeReader(progress: Progress): Promise<Reader> {
  await mkdir(cacheFolder(), { recursive: true });
  await ensureCommands(TOOLS, join(cacheFolder(), 'install.log'), progress);
  const home = await makeTempFolder('reader');
  const at = (name: string) => join(home.path, name);
  await Promise.all([copyCheckout(at('leasehold')), mkdir(at('bin')), mkdir(at('blocks'))]);
  await placeTools(at('bin'), progress);
  await writeFile(at('docker-calls'), '');
  const environment = { ...environmentWith(at('bin'), home.path), DOCKER_CALLS: at('docker-calls') };
  const terminals: Terminal[] = [];
  return {
    checkout: at('leasehold'),
    terminal(more = {}) {
      const terminal = openTerminal({
        folder: at('leasehold'),
        environment: { ...environment, ...more },
        blocks: at('blocks'),
      });
      terminals.push(terminal);
      return terminal;
    },
    write: (file, text) => writeFile(join(at('leasehold'), file), text),
    read: (file) => readFile(join(at('leasehold'), file), 'utf8'),
    async dockerCalls() {
      const lines = (await readFile(at('docker-calls'), 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => line.split('\0').slice(0, -1));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(terminals.map((terminal) => terminal.close()));
      await home.remove();
    },
  };
}

/** Installed packages are shared: no documented command that runs here changes them. */
async function copyCheckout(folder: string): Promise<void> {
  const isOfCheckout = (path: string) => !LEFT_OUT.has(relative(ROOT, path)) && !/\.(key|log)$/.test(path);
  await cp(ROOT, folder, { recursive: true, filter: isOfCheckout });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** Nothing of this test run: no setting, and no Node but what the machine has; npm's own scripts find the project's. */
function environmentWith(bin: string, home: string): Record<string, string> {
  const { PATH = '', XDG_CACHE_HOME = join(homedir(), '.cache'), ...others } = process.env;
  const path = PATH.split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const kept = Object.entries(others).flatMap(([name, value]) =>
    value !== undefined && KEPT_VARIABLES.test(name) ? [[name, value]] : [],
  );
  return {
    ...Object.fromEntries(kept),
    PATH: [bin, ...path].join(delimiter),
    HOME: home,
    // What the demo builds and downloads is kept from one run to the next.
    XDG_CACHE_HOME,
    npm_config_update_notifier: 'false',
  };
}

async function placeTools(bin: string, progress: Progress): Promise<void> {
  await place('docker', join(bin, 'docker'));
  const kubectl = findOnPath('kubectl') ?? 'kubectl';
  const { stdout } = await run(kubectl, ['version', '--client', '-o', 'json']);
  const { clientVersion } = z.object({ clientVersion: z.object({ minor: z.string() }) }).parse(JSON.parse(stdout));
  if (Number.parseInt(clientVersion.minor, 10) < CREATE_TOKEN_SINCE) {
    progress(`kubectl is 1.${clientVersion.minor}: its "create token" is stood in for by "create --raw"`);
    await place('kubectl', join(bin, 'kubectl'), { '/usr/bin/kubectl': kubectl });
  }
}

async function place(tool: string, path: string, replaced: Record<string, string> = {}): Promise<void> {
  const text = await readFile(new URL(`stand-ins/${tool}`, import.meta.url), 'utf8');
  await writeFile(
    path,
    Object.entries(replaced).reduce((all, [from, to]) => all.replaceAll(from, to), text),
  );
  await chmod(path, 0o755);
}
