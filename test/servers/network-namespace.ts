import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cached-apiserver.ts';
import { canInstallPackages, ensureCommands } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';
import type { Progress } from './progress.ts';

// A network of its own, joined to this machine by one cable: what runs in it reaches nothing that listens on this
// machine's loopback.

const run = promisify(execFile);

const COMMANDS = { ip: 'iproute2', unshare: 'util-linux', nsenter: 'util-linux' };

/** Of 198.18.0.0/15, which is set apart for tests (RFC 2544): so many networks of four addresses. */
const NETWORKS = 2 ** 15;
const ATTEMPTS = 20;

export interface NetworkNamespace {
  /** This machine's address on the cable: the only one of it that is reached from within. */
  outside: string;
  /** Address of what runs within. */
  inside: string;
  /** Runs the command line that follows it within. */
  launcher: readonly string[];
  /** What still runs within keeps it. */
  stop(): Promise<void>;
}

/** Installs the commands that it takes, where that can be done. To be called once, before any is opened. */
export async function prepareNetworkNamespaces(progress: Progress): Promise<void> {
  if (!canInstallPackages()) {
    return;
  }
  try {
    await mkdir(cacheFolder(), { recursive: true });
    await ensureCommands(COMMANDS, join(cacheFolder(), 'install.log'), progress);
  } catch (error) {
    progress(`going on without network namespaces: ${error instanceof Error ? error.message : error}`);
  }
}

/** Throws where this machine does not let this process make one. */
export async function openNetworkNamespace(): Promise<NetworkNamespace> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('only root of a Linux may make a network namespace');
  }
  const holder = await hold();
  // What is launched may have no PATH.
  const launcher = [findOnPath('nsenter') ?? 'nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  const [nsenter, ...within] = launcher as [string, ...string[]];
  try {
    const { cable, outside, inside } = await layCable(holder.pid);
    await run('ip', ['address', 'add', `${outside}/30`, 'dev', cable]);
    await run('ip', ['link', 'set', cable, 'up']);
    await run(nsenter, [...within, 'ip', 'link', 'set', 'lo', 'up']);
    await run(nsenter, [...within, 'ip', 'address', 'add', `${inside}/30`, 'dev', 'cable']);
    await run(nsenter, [...within, 'ip', 'link', 'set', 'cable', 'up']);
    return { outside, inside, launcher, stop: holder.stop };
  } catch (error) {
    await holder.stop();
    throw error;
  }
}

interface Holder {
  pid: number;
  stop(): Promise<void>;
}

/**
 * The namespace has no name that would have to be removed: the kernel keeps it, and its end of the cable, as long as a
 * process is in it. This one ends with its standard input, our pipe, however this process ends.
 */
async function hold(): Promise<Holder> {
  const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder, 'spawn');
  const ended = once(holder, 'exit');
  // A holder that ends at once does not read.
  holder.stdin.on('error', () => undefined);
  // cat runs, and echoes, only once it is within.
  holder.stdin.write('within?\n');
  const isWithin = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  const { pid } = holder;
  if (!isWithin || pid === undefined) {
    throw new Error('the kernel gave no network namespace to this process');
  }
  return {
    pid,
    async stop() {
      holder.stdin.end();
      await ended;
    },
  };
}

/** The kernel lets only one have a cable's name, and with it its addresses. */
async function layCable(pid: number) {
  for (let attempt = 1; ; attempt++) {
    const network = Math.floor(Math.random() * NETWORKS);
    const cable = `leasehold-${network}`;
    try {
      const within = ['peer', 'name', 'cable', 'netns', `${pid}`];
      await run('ip', ['link', 'add', cable, 'type', 'veth', ...within]);
      return { cable, outside: addressIn(network, 1), inside: addressIn(network, 2) };
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes('File exists')) {
        throw error;
      }
    }
  }
}

function addressIn(network: number, host: number): string {
  const number = network * 4 + host;
  return `198.${18 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
