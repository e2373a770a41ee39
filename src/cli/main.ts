import type { Command } from './command.ts';
import { apiKeyCreate } from './commands/api-key.ts';
import { policyCheck, policyTest } from './commands/policy.ts';

/** By the words that call them. */
const COMMANDS: Record<string, Command> = {
  'api-key create': apiKeyCreate,
  'policy check': policyCheck,
  'policy test': policyTest,
};

const EXIT_CODES = { done: 0, failed: 1, usage: 2 };

const [group = '', verb = '', ...args] = process.argv.slice(2);
process.exitCode = EXIT_CODES[await runCommand(COMMANDS[`${group} ${verb}`])];

async function runCommand(command: Command | undefined): Promise<keyof typeof EXIT_CODES> {
  try {
    const outcome = (await command?.run(args, (line) => process.stdout.write(`${line}\n`))) ?? 'usage';
    if (outcome === 'usage') {
      const usages = (command ? [command] : Object.values(COMMANDS)).map(({ usage }) => `  leasehold ${usage}\n`);
      process.stderr.write(`usage:\n${usages.join('')}`);
    }
    return outcome;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 'failed';
  }
}
