import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { atProcessEnd } from '../servers/at-process-end.ts';

interface LogLine {
  msg: string;
  address?: string | undefined;
  [field: string]: unknown;
}

const LogLine = z.looseObject({ msg: z.string(), address: z.string().optional() });

/** A Leasehold server or worker as a process of its own, as in production. */
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

/** Starts `src/<role>/main.ts`, or another entry for that role, with exactly the given environment. */
export function spawnLeasehold(
  role: 'server' | 'worker' | 'gateway',
  environment: Record<string, string>,
  entry = new URL(`../../src/${role}/main.ts`, import.meta.url),
): LeaseholdProcess {
  const child = spawn(process.execPath, [entry.pathname], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const forget = atProcessEnd(() => child.kill('SIGKILL'));
  const exited = exitCodeOf(child).finally(forget);
  const logs: LogLine[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
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

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  await once(child, 'close');
  return child.exitCode;
}
