import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { evidenceFolder, keepEvidence } from '../evidence/evidence-folder.ts';
import { atProcessEnd } from '../servers/at-process-end.ts';
import { dyingWithParent } from '../servers/dying-with-parent.ts';

interface LogLine {
  msg: string;
  address?: string | undefined;
  [field: string]: unknown;
}

const LogLine = z.looseObject({ msg: z.string(), address: z.string().optional() });

/** A Leasehold server, worker or gateway as a process of its own, as in production. */
export interface LeaseholdProcess {
  pid: number;
  logs: LogLine[];
  /** Waits for a line of the log. Throws where the process ends before. */
  logged(message: string): Promise<LogLine>;
  /** Stops reading the log, which costs as much as a call where there is a line for each. */
  ignoreLogs(): void;
  /** Resolves to the exit code. */
  exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and waits. */
  stop(): Promise<number | null>;
}

export type Role = 'server' | 'worker' | 'gateway';

export interface SpawnOptions {
  /** Instead of `src/<role>/main.ts`. */
  entry?: URL;
  /** What stands behind the entry on the command line. */
  args?: readonly string[];
  /** A command that runs the command line that follows it, in its own process: where else, or how, it is to run. */
  launcher?: readonly string[];
  /** Gets every line of the log, too. */
  alsoLogTo?: string[];
}

/** Starts a process of that role with exactly the given environment. It lives no longer than this process. */
export function spawnLeasehold(
  role: Role,
  environment: Record<string, string>,
  options: SpawnOptions = {},
): LeaseholdProcess {
  const { entry = new URL(`../../src/${role}/main.ts`, import.meta.url), launcher = [], alsoLogTo = [] } = options;
  const ownArgs = options.args ?? [];
  const node = [process.execPath, ...spansKept(environment), entry.pathname];
  const [launched = process.execPath, ...rest] = [...launcher, ...node, ...ownArgs];
  const { command, args } = dyingWithParent(launched, rest, 'KILL');
  const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const forget = atProcessEnd(() => child.kill('SIGKILL'));
  const exited = exitCodeOf(child).finally(forget);
  const logs: LogLine[] = [];
  child.stdout.on('data', (chunk) => keepEvidence('logs', chunk));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    alsoLogTo.push(line);
    logs.push(LogLine.parse(JSON.parse(line)));
    lines.emit('logged');
  });

  const logged = async (message: string): Promise<LogLine> => {
    for (;;) {
      const line = logs.find(({ msg }) => msg === message);
      if (line) {
        return line;
      }
      const hasEnded = await Promise.race([once(lines, 'logged').then(() => false), exited.then(() => true)]);
      if (hasEnded && !logs.some(({ msg }) => msg === message)) {
        throw new Error(`the ${role} ended before it logged "${message}": ${JSON.stringify(logs.at(-1))}`);
      }
    }
  };
  return {
    pid: child.pid ?? 0,
    logs,
    logged,
    ignoreLogs() {
      lines.close();
      child.stdout.resume();
    },
    exited,
    kill: (signal) => child.kill(signal),
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** Options of Node that keep the process's spans for the scan, unless it sends them somewhere: there is one tracer. */
function spansKept(environment: Record<string, string>): string[] {
  const folder = evidenceFolder();
  if (folder === undefined || Object.keys(environment).some((name) => name.startsWith('OTEL_'))) {
    return [];
  }
  const keeper = new URL('../evidence/keep-spans-of-process.ts', import.meta.url);
  keeper.searchParams.set('folder', folder);
  return ['--import', keeper.href];
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  await once(child, 'close');
  return child.exitCode;
}
