import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { atProcessEnd } from './at-process-end.ts';
import { dyingWithParent } from './dying-with-parent.ts';
import { logTail } from './log-tail.ts';

export interface LoggedRun {
  logFile: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end with all its output in a log file, which an error names and quotes. */
export async function runLogged(command: string, args: readonly string[], run: LoggedRun): Promise<void> {
  const log = await open(run.logFile, 'a');
  try {
    await log.write(`$ ${[command, ...args].join(' ')}\n`);
    const ended = await runToEnd(command, args, run, log.fd);
    if (ended !== 0) {
      const problem = `"${command} ${args.join(' ')}" failed (${ended}); its whole output is in ${run.logFile}.`;
      throw new Error(`${problem} The end of it:\n${await logTail(run.logFile)}`);
    }
  } finally {
    await log.close();
  }
}

async function runToEnd(command: string, args: readonly string[], run: LoggedRun, log: number): Promise<unknown> {
  // TERM, not KILL: make and apt-get pass it on to what they started.
  const guarded = dyingWithParent(command, args, 'TERM');
  const child = spawn(guarded.command, guarded.args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...run.env },
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
  });
  const forget = atProcessEnd(() => child.kill('SIGTERM'));
  try {
    const [exitCode, signal] = await once(child, 'exit');
    return exitCode ?? signal;
  } finally {
    forget();
  }
}
