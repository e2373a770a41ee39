import { globSync, readFileSync } from 'node:fs';

// What the pages and manifests tell a reader to type.

/** The checkout. */
export const ROOT = new URL('../../', import.meta.url).pathname;

const PAGES = ['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'deploy/**/*.yaml', 'docker-compose.yml', 'Dockerfile'];

/** Begins a command. A name alone (`npm`, `buf`) tells of a tool and is none. */
const COMMAND =
  /^(\$ )?(bash|buf|cd|chmod|cp|curl|docker|export|git|helm|kubectl|mkdir|node|npm|npx|openssl|redis-\w+|rm|sed|sh) \S/;

const SHELLS = new Set(['bash', 'console', 'sh', 'shell', 'zsh']);

export interface Documented {
  /** Path in the checkout. */
  page: string;
  line: number;
  /** As it stands there, without the indentation and comment marks before it. */
  text: string;
}

/** The pages that are held to what they say, by their paths in the checkout. */
export function pages(): string[] {
  return globSync(PAGES, { cwd: ROOT }).sort();
}

/** The text of a page. */
export function pageText(page: string): string {
  return readFileSync(new URL(page, `file://${ROOT}`), 'utf8');
}

/** Every command of every page. */
export function documentedCommands(): Documented[] {
  return pages().flatMap((page) => commandsIn(page, pageText(page)));
}

/** The commands of one page: fenced blocks of a shell, commands in backticks, and commands in comments of YAML. */
export function commandsIn(page: string, text: string): Documented[] {
  const found = page.endsWith('.md') ? inMarkdown(text.split('\n')) : inComments(text.split('\n'), 1);
  return found.map((command) => ({ page, ...command }));
}

type Found = Omit<Documented, 'page'>;

function inMarkdown(lines: readonly string[]): Found[] {
  const found: Found[] = [];
  let prose: string[] = [];
  const endOfProse = (line: number) => {
    found.push(...inBackticks(prose.join('\n'), line - prose.length));
    prose = [];
  };
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(?<indent> *)```(?<language>\w*)/.exec(lines[at] ?? '');
    if (fence === null) {
      prose.push(lines[at] ?? '');
      continue;
    }
    endOfProse(at + 1);
    const { indent = '', language = '' } = fence.groups ?? {};
    const end = lines.findIndex((line, index) => index > at && line.trim() === '```');
    const block = lines.slice(at + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    found.push(...inFence(language, block, at + 2));
    at = end;
  }
  endOfProse(lines.length + 1);
  return found;
}

function inFence(language: string, block: readonly string[], line: number): Found[] {
  if (language === 'yaml') {
    return inComments(block, line);
  }
  const isShell = SHELLS.has(language) || (language === '' && block.some((text) => COMMAND.test(text)));
  return isShell ? [{ line, text: block.join('\n') }] : [];
}

function inBackticks(prose: string, firstLine: number): Found[] {
  return prose.split(/(?<=\n)(?=\s*\n)/).flatMap((paragraph, index, all) => {
    const before = all.slice(0, index).join('').split('\n').length - 1;
    return [...paragraph.matchAll(/`([^`]+)`/g)]
      .map(({ 1: code = '', index: at }) => ({
        line: firstLine + before + paragraph.slice(0, at).split('\n').length - 1,
        text: code.replace(/\s*\n\s*/g, ' '),
      }))
      .filter(({ text }) => COMMAND.test(text));
  });
}

/** Comments that are indented hold blocks; those behind something and the backticks of others, single commands. */
function inComments(lines: readonly string[], firstLine: number): Found[] {
  const found: Found[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = firstLine + at;
    const [, before = '', comment] = /^(.*?)(?:^|\s)#(.*)$/.exec(lines[at] ?? '') ?? [];
    if (comment === undefined) {
      continue;
    }
    if (before.trim() === '' && /^ {2,}/.test(comment) && COMMAND.test(comment.trimStart())) {
      const block = linesOfBlock(lines.slice(at));
      found.push({ line, text: block.join('\n') });
      at += block.length - 1;
    } else if (COMMAND.test(comment.trimStart())) {
      found.push({ line, text: comment.trim() });
    } else {
      found.push(...inBackticks(comment, line));
    }
  }
  return found;
}

/** The lines from the first on that are comments as far indented as that, without what they are indented by. */
function linesOfBlock(lines: readonly string[]): string[] {
  const start = /^\s*# +/.exec(lines[0] ?? '')?.[0] ?? '';
  const end = lines.findIndex((line) => !line.startsWith(start));
  return lines.slice(0, end === -1 ? undefined : end).map((line) => line.slice(start.length));
}
