import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { atProcessEnd } from '../servers/at-process-end.ts';
import { dyingWithParent } from '../servers/dying-with-parent.ts';
import { eventually } from '../support/eventually.ts';

/** Runs the files that are named at descriptor 3 as if each were typed here, and says at descriptor 4 that it is done. */
const SHELL = `
set -euo pipefail
while IFS= read -r -u 3 block; do
  source "$block" < /dev/null 3<&- 4>&-
  echo done >&4
done`;

/** Enough for a server that drains, on a busy machine. */
const ENDS_WITHIN_MS = 120_000;

/** A terminal of a reader: a bash in which one command is typed after the other. The first that fails ends it. */
export interface Terminal {
  /** Types a block and returns what it printed to stdout and stderr. Throws where it fails. */
  run(block: string): Promise<string>;
  /** Types a block that goes on running, and returns what it printed until `shown` matched. Throws where it ends before. */
  start(block: string, ...shown: RegExp[]): Promise<string>;
  /** Presses Ctrl-C, and waits until all that runs in the terminal has ended. Returns what was printed since the start. */
  interrupt(): Promise<string>;
  /** Ends all that still runs in it. */
  close(): Promise<void>;
}

interface TerminalOptions {
  /** Where it is opened. */
  folder: string;
  environment: Record<string, string>;
  /** A folder for what is typed. */
  blocks: string;
}

/** Opens one. What runs in it lives no longer than this process. */
export function openTerminal({ folder, environment, blocks }: TerminalOptions): Terminal {
  const { command, args } = dyingWithParent('bash', ['--noprofile', '--norc', '-c', SHELL], 'KILL');
  // A process group of its own: Ctrl-C reaches all that runs in it, and nothing else.
  const shell = spawn(command, args, {
    cwd: folder,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  const signalAll = (signal: NodeJS.Signals | 0) => signalGroup(shell, signal);
  const forget = atProcessEnd(() => signalAll('SIGKILL'));
  const closed = once(shell, 'close');
  const [, stdout, stderr, toRun, done] = shell.stdio as [null, Readable, Readable, Writable, Readable];
  // It ends with the shell, which tells why by itself.
  toRun.on('error', () => undefined);
  let printed = '';
  for (const stream of [stdout, stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      shell.emit('printed');
    });
  }
  let typed = 0;
  let isClosed = false;

  /** Whether it was run to its end; false where the shell ended. */
  const type = async (block: string): Promise<{ isDone: Promise<boolean> }> => {
    typed += 1;
    printed = '';
    const file = join(blocks, `${shell.pid}-${typed}.sh`);
    await writeFile(file, `${block}\n`);
    const isDone = Promise.race([once(done, 'data').then(() => true), closed.then(() => false)]);
    toRun.write(`${file}\n`);
    return { isDone };
  };
  const failed = (block: string, what: string) => new Error(`${what}:\n${block}\n\nIt printed:\n${printed}`);
  const allEnded = () =>
    eventually(
      async () => {
        if (signalAll(0)) {
          throw new Error(`something still runs in the terminal. It printed:\n${printed}`);
        }
      },
      { withinMs: ENDS_WITHIN_MS },
    );

  return {
    async run(block) {
      const { isDone } = await type(block);
      if (!(await isDone)) {
        throw failed(block, `a block failed with ${shell.exitCode ?? shell.signalCode}`);
      }
      return printed;
    },
    async start(block, ...shown) {
      const { isDone } = await type(block);
      const over = isDone.then(() => 'over' as const);
      while (!shown.every((pattern) => pattern.test(printed))) {
        if ((await Promise.race([once(shell, 'printed'), over])) === 'over') {
          throw failed(block, `a block that is to go on running ended before it showed ${shown.join(' and ')}`);
        }
      }
      return printed;
    },
    async interrupt() {
      signalAll('SIGINT');
      toRun.end();
      await allEnded();
      await closed;
      isClosed = true;
      forget();
      return printed;
    },
    async close() {
      if (!isClosed) {
        signalAll('SIGKILL');
        await closed;
        forget();
      }
    },
  };
}

/** False where nothing of the group is left. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return pid !== undefined && process.kill(-pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') {
      return false;
    }
    throw error;
  }
}
