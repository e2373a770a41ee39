import { findOnPath } from './find-on-path.ts';

interface CommandLine {
  command: string;
  args: readonly string[];
  /** Whether the kernel ends the command when this process ends, however that happens. */
  guarded: boolean;
}

/**
 * Wraps a command so that Linux signals it when its parent is gone. A handler of 'exit' is not enough: it does not
 * run when the parent is killed or dies of a signal such as Ctrl-C. setpriv replaces itself by the command, so the
 * process id stays the same.
 */
export function dyingWithParent(command: string, args: readonly string[], signal: 'KILL' | 'TERM'): CommandLine {
  const setpriv = process.platform === 'linux' ? findOnPath('setpriv') : undefined;
  return setpriv === undefined
    ? { command, args, guarded: false }
    : { command: setpriv, args: ['--pdeathsig', signal, command, ...args], guarded: true };
}
