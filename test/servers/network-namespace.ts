import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cached-apiserver.ts';
import { ensureCommands } from './debian-packages.ts';
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

/** Throws where this machine does not let this process make one. */
export async function openNetworkNamespace(progress: Progress): Promise<NetworkNamespace> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('only root of a Linux may make a network namespace');
  }
  await ensureCommands(COMMANDS, join(cacheFolder(), 'install.log'), progress);
  const holder = await hold();
  const launcher = [commandPath('nsenter'), `--net=/proc/${holder.pid}/ns/net`, '--'];
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

/** Its whole path: what is launched may have no PATH. */
function commandPath(name: keyof typeof COMMANDS): string {
  return findOnPath(name) ?? name;
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
