import { type Documented, documentedCommands } from './documented.ts';

// Which documented commands are typed by a test, and which are not, and why.

export const COMMANDS = documentedCommands();
const typed = new Set<string>();

/** What is not typed here, because a machine of a test run cannot, or should not: why, and what holds it instead. */
export const NOT_TYPED: Record<string, string> = {
  'npm ci': 'CI begins with it (.ci/run)',
  'npm ci --ignore-scripts && npm run generate': 'for an older npm; containers.test.ts runs the second half',
  'npm run generate': 'containers.test.ts runs it, with no more than the image has',
  'npm ci && npm test': 'CI is this (.ci/run)',
  'npm ci && npm run demo': 'CI begins with the first half; the second is typed with --keep',
  'npm run check': 'CI ends with it (.ci/run)',
  'npm run bench': 'takes minutes: only its script and what that starts are looked at',
  'npm run bench -- tenants': 'a part of it',
  'npm run bench -- unauthenticated': 'a part of it',
  'npm run bench -- beside': 'takes minutes, and needs another checkout',
  'npm run test:faults': 'takes ten minutes: only its script and its vitest project are looked at',
  'npm run test:slow': 'takes half an hour: the suite that CI runs, beside a load',
  'npm run test:faults:slow': 'takes half an hour: the suite of test:faults, beside a load',
  'npm run test:slow -- --project=integration test/integration/batch.test.ts': 'a part of it',
  'npm run test:fuzz': 'takes minutes: `npm test` runs the same with fewer messages',
  'docker build --target gateway': 'names a part of a command that is typed',
  'docker run ... src/worker/main.ts': 'needs a Docker engine: containers.test.ts starts what the image holds',
  'docker compose up': 'needs a Docker engine: see the stand-in of docker',
  'kubectl create token --duration 24h': 'names a part of a command that is typed',
  'kubectl describe': 'a mention',
  'kubectl apply': 'a mention',
  'docker build': 'a mention',
  'buf breaking': 'a mention; CI runs it by `npm run check`',
  [blockThatBegins('CONTRIBUTING.md', 'npm ci ')]: 'a list of npm scripts, each looked at below; CI runs most of them',
};

/** The command of that page that begins so. A test that asks for it types it. */
export function command(page: string, beginning: string): string {
  const found = COMMANDS.find((one) => one.page === page && one.text.startsWith(beginning));
  if (found === undefined) {
    throw new Error(`${page} has no command any more that begins with: ${beginning}`);
  }
  typed.add(found.text);
  return found.text;
}

function blockThatBegins(page: string, beginning: string): string {
  return COMMANDS.find((one) => one.page === page && one.text.startsWith(beginning))?.text ?? beginning;
}

/** Those that no test asked for so far, and that are not excused. */
export function typedNowhere(): Documented[] {
  return COMMANDS.filter(({ text }) => !typed.has(text) && !(text in NOT_TYPED));
}

/** Puts in what a page has to leave open. Each must stand there. */
export function filledIn(text: string, values: Record<string, string>): string {
  return Object.entries(values).reduce((result, [open, value]) => {
    if (!result.includes(open)) {
      throw new Error(`there is no ${open} to fill in any more: ${result}`);
    }
    return result.replaceAll(open, value);
  }, text);
}
