import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { dyingWithParent } from './servers/dying-with-parent.ts';

// Runs a command while all cores are kept busy by something else: `node test/busy-cores.ts npm test`. What passes alone and
// fails here depends on the speed of the machine. BUSY_LOOPS says how many loops take their share; default: two for each core.

/** A loop ends by itself after so long, whatever becomes of us. */
const LONGEST_MS = 4 * 3_600_000;

const LOOP = `const end = Date.now() + ${LONGEST_MS}; while (Date.now() < end);`;

const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  throw new Error('say what is to run: node test/busy-cores.ts <command> [arguments]');
}
const count = Number(process.env['BUSY_LOOPS'] ?? 2 * availableParallelism());
const loops = Array.from({ length: count }, () => {
  const loop = dyingWithParent(process.execPath, ['--eval', LOOP], 'KILL');
  return spawn(loop.command, loop.args, { stdio: 'ignore' });
});
process.stderr.write(`beside ${count} busy loops: ${[command, ...args].join(' ')}\n`);
try {
  const running = spawn(command, args, { stdio: 'inherit' });
  // It gets Ctrl-C as well, and has its own way to end.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => running.kill('SIGTERM'));
  const [code] = await once(running, 'exit');
  process.exitCode = code ?? 1;
} finally {
  for (const loop of loops) {
    loop.kill('SIGKILL');
  }
}
