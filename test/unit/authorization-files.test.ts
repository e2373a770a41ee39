import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SHIPPED_POLICIES } from '../../src/shared/authorization/policy-files.ts';
import { checkPolicies, testPolicies } from '../../src/shared/authorization/policy-folder.ts';
import { type Authorization, startAuthorization } from '../../src/shared/authorization/start-authorization.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
const stops: (() => void)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'policies-'));
});

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await rm(folder, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(folder, name), text);

const permits = (...actions: string[]) =>
  actions.map((action) => `permit (principal, action == Leasehold::Action::"${action}", resource);`).join('\n');

test.each([
  ['a syntax error', 'permit (principal, action, resource)\nwhen { true ;', ':4: '],
  ['a wrong scope', 'permit (principal, actio, resource);', ':3: .*actio'],
  ['an unknown action', permits('IssueLeas'), ':3: unrecognized action .*IssueLeas.*did you mean'],
  [
    'an unknown attribute',
    'permit (principal, action,\n resource is Leasehold::Config) when { resource.owner == principal };',
    ':4: attribute `owner`',
  ],
  ['an unknown type', 'permit (principal in Leasehold::Role::"x", action, resource);', ':3: unrecognized entity type'],
  [
    'a type error',
    'permit (principal, action == Leasehold::Action::"IssueLease", resource) when { context.ttl_seconds < "600" };',
    ':3: .*type',
  ],
  [
    'a tag that may be absent',
    'permit (principal, action, resource is Leasehold::Config) when { resource.getTag("a") == "b" };',
    ':3: .*tag',
  ],
  ['a template', 'permit (principal == ?principal, action, resource);', 'template'],
])('%s is refused with file and line', async (_what, text, where) => {
  await write('good.cedar', permits('GetConfig'));
  await write('bad.cedar', `// é: two bytes, one letter\n\n${text}\n`);
  await expect(checkPolicies(folder)).rejects.toThrow(new RegExp(`^${folder}/bad\\.cedar.*${where}`, 's'));
});

test('all that is wrong in all files is told at once', async () => {
  await write('a.cedar', `${permits('Nope')}\n${permits('Nor')}`);
  await write('b.cedar', 'permit (');
  await expect(checkPolicies(folder)).rejects.toThrow(/a\.cedar:1: .*Nope.*\n.*a\.cedar:2: .*Nor.*\n.*b\.cedar:1: /);
});

test('a folder without policies is refused', async () => {
  await expect(checkPolicies(folder)).rejects.toThrow('nobody could do anything');
  await write('empty.cedar', '// nothing');
  await expect(checkPolicies(folder)).rejects.toThrow('nobody could do anything');
  await expect(checkPolicies(join(folder, 'absent'))).rejects.toThrow('ENOENT');
});

test('a policy that can never apply is warned of', async () => {
  await write('a.cedar', 'forbid (principal, action == Leasehold::Action::"GetConfig", resource is Leasehold::Lease);');
  expect(await checkPolicies(folder)).toEqual([expect.stringMatching(/a\.cedar:1: /)]);
});

test('the same policy may stand twice, in one file or in two', async () => {
  await write('a.cedar', `${permits('GetConfig', 'GetConfig')} ${permits('GetLease')}`);
  await write('b.cedar', permits('GetConfig'));
  expect(await checkPolicies(folder)).toEqual([]);
});

const shipped = await testPolicies(SHIPPED_POLICIES);

test.each(shipped.results)('shipped policies: $name', ({ problem }) => {
  expect(problem).toBeUndefined();
});

test('each of the shipped policies is tested', async () => {
  expect(shipped.untested).toEqual([]);
  expect(await checkPolicies(SHIPPED_POLICIES)).toEqual([]);
});

const TEST = {
  name: 'a test',
  caller: { kind: 'api-key', id: 'k', groups: ['ops'] },
  action: 'GetConfig',
  resource: { config: { name: 'c' } },
  expect: 'allow',
};

async function testOne(change: object) {
  await write('a.cedar', permits('GetConfig', 'IssueLease'));
  await mkdir(join(folder, 'tests'), { recursive: true });
  await writeFile(join(folder, 'tests', 'a.yaml'), `# tests\n- ${JSON.stringify({ ...TEST, ...change })}\n`);
  return testPolicies(folder);
}

test('a policy test that does not hold says what the answer was, and why', async () => {
  const { results } = await testOne({ expect: 'deny' });
  expect(results).toEqual([
    { name: `${folder}/tests/a.yaml:2: a test`, problem: `expected deny, got allow: by ${folder}/a.cedar:1:1` },
  ]);
});

test('a policy that no test makes use of is told', async () => {
  expect((await testOne({})).untested).toEqual([`${folder}/a.cedar:2:1`]);
});

test('a question that cannot be put does not pass for a denial', async () => {
  const { results } = await testOne({ action: 'IssueLease', expect: 'deny' });
  expect(results[0]?.problem).toMatch(/could not be decided: .*cluster_wide/);
});

test.each([
  [{ action: 'Get' }, /a\.yaml:2: 0: action: 0: /],
  [{ resource: { config: { name: 'c' }, gateway: { name: 'g' } } }, /a\.yaml:2: .*must be one of/],
  [{ conditions: { ttl: 1 } }, /a\.yaml:2: .*ttl/],
  [{ caller: { kind: 'root', id: 'x' } }, /a\.yaml:2: .*kind/],
  [{ expect: 'maybe' }, /a\.yaml:2: .*expect/],
])('a policy test that is no test is refused: %j', async (change, problem) => {
  await expect(testOne(change)).rejects.toThrow(problem);
});

/** What a server logged of its policies, by level. */
function keepLog() {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}

async function startIn(): Promise<
  Authorization & { log: ReturnType<typeof keepLog>; may(action: 'GetConfig' | 'ListConfigs'): boolean }
> {
  const log = keepLog();
  const started = await startAuthorization(folder, log, 10);
  stops.push(started.stop);
  const may = (action: 'GetConfig' | 'ListConfigs') =>
    started.authorizer.allows({
      principal: { kind: 'api-key', id: 'k', issuer: 'leasehold', groups: [] },
      action,
      resource:
        action === 'GetConfig' ? { kind: 'config', config: { name: 'c', labels: {} } } : { kind: 'installation' },
      conditions: {},
      origin: { sourceIp: undefined, transport: 'tls' },
    });
  return { ...started, log, may };
}

test('policies that change count, without a restart', async () => {
  await write('a.cedar', permits('GetConfig'));
  const { may, log } = await startIn();
  expect([may('GetConfig'), may('ListConfigs')]).toEqual([true, false]);
  await write('a.cedar', permits('ListConfigs'));
  await eventually(async () => expect([may('GetConfig'), may('ListConfigs')]).toEqual([false, true]));
  await write('b.cedar', permits('GetConfig'));
  await eventually(async () => expect(may('GetConfig')).toBe(true));
  await rm(join(folder, 'b.cedar'));
  await eventually(async () => expect(may('GetConfig')).toBe(false));
  expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
});

test.each([
  ['a syntax error', async () => write('a.cedar', 'permit (')],
  ['an unknown action', async () => write('a.cedar', permits('Nope'))],
  ['a file that is gone', async () => rm(join(folder, 'a.cedar'))],
])('%s leaves the policies as they were, and shouts', async (_what, spoil) => {
  await write('a.cedar', permits('GetConfig'));
  const { may, log } = await startIn();
  await spoil();
  await eventually(async () =>
    expect(log.lines).toMatchObject([{ level: 'error', message: 'not reloaded: what was loaded before stays' }]),
  );
  expect([may('GetConfig'), may('ListConfigs')]).toEqual([true, false]);
  await write('a.cedar', permits('ListConfigs'));
  await eventually(async () => expect([may('GetConfig'), may('ListConfigs')]).toEqual([false, true]));
  expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
});

test('a server does not start with policies that it cannot use', async () => {
  await write('a.cedar', 'permit (');
  await expect(startAuthorization(folder, keepLog())).rejects.toThrow(`${folder}/a.cedar:1`);
});

test('a mounted ConfigMap, whose files are links that are exchanged at once, is followed', async () => {
  const version = async (name: string, text: string) => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'a.cedar'), text);
    await symlink(name, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await version('..1', permits('GetConfig'));
  await symlink('..data/a.cedar', join(folder, 'a.cedar'));
  const { may } = await startIn();
  expect(await readdir(folder)).toContain('a.cedar');
  expect(may('ListConfigs')).toBe(false);
  await version('..2', permits('ListConfigs'));
  await eventually(async () => expect(may('ListConfigs')).toBe(true));
});
