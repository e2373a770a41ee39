/** A command of the command line. */
export interface Command {
  /** How it is called: its words, then its arguments in <> or []. */
  usage: string;
  /** `args` come after its words; `print` writes a line. An Error's message is shown to whoever called. */
  run(args: readonly string[], print: (line: string) => void): Promise<'done' | 'failed' | 'usage'>;
}
