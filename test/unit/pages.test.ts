import { existsSync, globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GatewaySettings } from '../../src/gateway/settings.ts';
import { ConfigServiceDefinition } from '../../src/gen/leasehold/v1/config_service.ts';
import { GatewayServiceDefinition } from '../../src/gen/leasehold/v1/gateway_service.ts';
import { LeaseServiceDefinition } from '../../src/gen/leasehold/v1/lease_service.ts';
import { parseCallersFile } from '../../src/server/authentication/callers-file.ts';
import { Settings } from '../../src/shared/settings.ts';
import { commandsIn, pages, pageText, ROOT } from '../commands/documented.ts';

// What the pages name is there: other pages and their headings, settings, files, RPCs. Their commands are typed by
// test/commands.

const SERVICES = [ConfigServiceDefinition, LeaseServiceDefinition, GatewayServiceDefinition];
const RPCS = SERVICES.flatMap(({ methods }) => Object.values(methods).map(({ name }): string => name));

/** Variables that are no settings of a process: of docker-compose.yml, of the tests, and of the benchmarks. */
const OTHER_VARIABLES = [
  'LEASEHOLD_SECURITY',
  'LEASEHOLD_MODEL_SEED',
  'LEASEHOLD_MODEL_RUNS',
  'LEASEHOLD_BENCH_CHECKOUT',
];
const VARIABLES = [...Object.keys(Settings.shape), ...Object.keys(GatewaySettings.shape), ...OTHER_VARIABLES];

const CODE = globSync('{src,test,demo,bench}/**/*.ts', { cwd: ROOT });

/** Where the paths of a page begin. docs/architecture.md speaks of rooms of src. */
const startsOfPaths = (page: string) => ['.', dirname(page), 'src', 'src/shared', 'src/server'];

describe.each(pages())('%s', (page) => {
  const text = pageText(page);

  test('links to what is there', () => {
    expect(linksIn(page, text).filter(({ path, anchor }) => !leadsSomewhere(path, anchor))).toEqual([]);
  });

  test('names settings that there are', () => {
    const named = [...text.matchAll(/\bLEASEHOLD_[A-Z_]*[A-Z](?![A-Z_]*\*)/g)].map(([name]) => name);
    expect(named.filter((name) => !VARIABLES.includes(name))).toEqual([]);
  });

  test('names files that there are', () => {
    const inBackticks = codeIn(text).filter((code) => /^[\w./-]+\.(ts|cjs|proto|cedarschema)$/.test(code));
    const anywhere = text.matchAll(/(?<![\w/.-])(?:src|test|docs|deploy|demo|bench|proto)\/[\w./-]*\w/g);
    const named = [...inBackticks, ...[...anywhere].map(([path]) => path)];
    const isThere = (path: string) =>
      startsOfPaths(page).some((start) => existsSync(join(ROOT, start, path))) ||
      CODE.some((file) => basename(file) === path);
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });

  test('names RPCs that there are', () => {
    const alone = codeIn(text).filter((code) =>
      /^(Create|Get|List|Update|Delete|Check|Issue|Renew|Revoke|BatchRevoke)[A-Z]\w+$/.test(code),
    );
    const withService = [...text.matchAll(/\b(\w+Service)\/(\w+)/g)].map(([code, service, rpc]) => ({
      code,
      service,
      rpc,
    }));
    expect(alone.filter((name) => !RPCS.includes(name))).toEqual([]);
    expect(
      withService.filter(
        ({ service, rpc }) =>
          !SERVICES.some(
            ({ name, methods }) => name === service && Object.values(methods).some((method) => method.name === rpc),
          ),
      ),
    ).toEqual([]);
  });
});

test("docs/callers.md has a callers' file that is taken", () => {
  const file = /```yaml\n([\s\S]*?)```/.exec(pageText('docs/callers.md'))?.[1] ?? '';
  expect(parseCallersFile(file.replace('<64 hex digits>', 'a1'.repeat(32))).apiKeys).toHaveLength(1);
});

describe('a command is found', () => {
  test.each([
    ['in a block of a list', 'a.md', '1. Do:\n\n   ```sh\n   npm x\n     --y\n   ```\n', ['npm x\n  --y']],
    ['in a block without a language', 'a.md', '```\nkubectl get pods\n```\n', ['kubectl get pods']],
    ['in backticks, on two lines', 'a.md', 'Run `npm run\n  x` now, with `npm`.', ['npm run x']],
    [
      'in a comment',
      'a.yaml',
      '# Do:\n#   kubectl a \\\n#     b\n# Then `npm x`.\nc: 1 # docker d\n',
      ['kubectl a \\\n  b', 'npm x', 'docker d'],
    ],
    ['in YAML of a page', 'a.md', '```yaml\nkey: ... # openssl rand 1\n```\n', ['openssl rand 1']],
    ['never in a diagram, nor in YAML that is commented out', 'a.yaml', '# a --> b\n#   value: ""\n', []],
  ])('%s', (_, page, text, commands) => {
    expect(commandsIn(page, text).map((command) => command.text)).toEqual(commands);
  });
});

/** What stands in backticks, outside of blocks. */
function codeIn(text: string): string[] {
  return [...text.replace(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

function linksIn(page: string, text: string): { path: string; anchor: string }[] {
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, path = '', anchor = '']) => ({
    path: path === '' ? page : join(dirname(page), path),
    anchor,
  }));
}

function leadsSomewhere(path: string, anchor: string): boolean {
  return existsSync(join(ROOT, path)) && (anchor === '' || anchorsOf(pageText(path)).includes(anchor));
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
