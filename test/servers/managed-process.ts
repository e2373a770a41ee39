import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { atProcessEnd } from './at-process-end.ts';
import { dyingWithParent } from './dying-with-parent.ts';
import { PortTakenError } from './free-port.ts';
import { logTail } from './log-tail.ts';

const POLL_MS = 50;
const GRACE_MS = 5_000;
const PORT_TAKEN = /address already in use/i;

export interface ServerSpec {
  name: string;
  command: string;
  args: readonly string[];
  logFile: string;
  readyWithinMs: number;
  /** Resolves to true once the server serves; a rejection counts as "not yet". */
  isReady(pid: number): Promise<boolean>;
}

export interface ManagedProcess {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server that lives no longer than this process, and waits until it serves. */
export async function startServer(spec: ServerSpec): Promise<ManagedProcess> {
  const child = await spawnWithLog(spec);
  const forget = atProcessEnd(() => child.kill('SIGKILL'));
  const exited = waitForExit(child);
  const stop = async () => {
    await endChild(child, exited);
    forget();
  };
  try {
    const pid = pidOf(child);
    await waitUntilReady(spec, child, pid);
    return { pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function spawnWithLog(spec: ServerSpec): Promise<ChildProcess> {
  const { command, args, guarded } = dyingWithParent(spec.command, spec.args, 'KILL');
  const log = await open(spec.logFile, 'a');
  try {
    // In a process group of its own, Ctrl-C reaches only the parent, which may still need the server to end well.
    const child = spawn(command, args, { stdio: ['ignore', log.fd, log.fd], detached: guarded });
    await once(child, 'spawn');
    return child;
  } finally {
    await log.close();
  }
}

async function waitUntilReady(spec: ServerSpec, child: ChildProcess, pid: number): Promise<void> {
  const deadline = Date.now() + spec.readyWithinMs;
  let lastFailure: unknown;
  while (Date.now() < deadline) {
    const ready = await spec.isReady(pid).catch((error: unknown) => {
      lastFailure = error;
      return false;
    });
    if (hasExited(child)) {
      throw await earlyExit(spec, child);
    }
    if (ready) {
      return;
    }
    await delay(POLL_MS);
  }
  const problem = `${spec.name} was not ready within ${spec.readyWithinMs} ms. The end of its log:`;
  throw new Error(`${problem}\n${await logTail(spec.logFile)}`, { cause: lastFailure });
}

async function earlyExit(spec: ServerSpec, child: ChildProcess): Promise<Error> {
  const tail = await logTail(spec.logFile);
  const message = `${spec.name} ended (${child.exitCode ?? child.signalCode}). The end of its log:\n${tail}`;
  return PORT_TAKEN.test(tail) ? new PortTakenError(message) : new Error(message);
}

async function endChild(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const lastResort = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await exited;
  clearTimeout(lastResort);
}

async function waitForExit(child: ChildProcess): Promise<void> {
  if (!hasExited(child)) {
    await once(child, 'exit');
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) {
    throw new Error('a child process that was spawned has no process id');
  }
  return child.pid;
}
