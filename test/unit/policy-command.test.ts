import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { makeTempFolder } from '../servers/temp-folder.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const folder = await makeTempFolder('policy-command');
afterAll(() => folder.remove());

/** Runs the command line as an operator would. */
function leasehold(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

async function policies(name: string, text: string, tests?: object[]): Promise<string> {
  const path = join(folder.path, name);
  await mkdir(join(path, 'tests'), { recursive: true });
  await writeFile(join(path, 'own.cedar'), text);
  if (tests) {
    await writeFile(join(path, 'tests', 'own.yaml'), JSON.stringify(tests));
  }
  return path;
}

const GOOD = 'permit (principal in Leasehold::Group::"ops", action, resource);';
const asks = (group: string, expected: string) => ({
  name: `somebody in ${group}`,
  caller: { kind: 'api-key', id: 'k', groups: [group] },
  action: 'GetConfig',
  resource: { config: { name: 'c' } },
  expect: expected,
});

test('good policies are checked and tested with success', async () => {
  const path = await policies('good', GOOD, [asks('ops', 'allow'), asks('dev', 'deny')]);
  expect(await leasehold('policy', 'check', path)).toMatchObject({ code: 0, stderr: '' });
  const tested = await leasehold('policy', 'test', path);
  expect(tested).toMatchObject({ code: 0, stderr: '' });
  expect(tested.stdout).toContain('2 passed, 0 failed');
});

test('a test that does not hold fails the command', async () => {
  const tested = await leasehold('policy', 'test', await policies('wrong', GOOD, [asks('dev', 'allow')]));
  expect(tested.code).toBe(1);
  expect(tested.stdout).toMatch(/FAILED .*somebody in dev: expected allow, got deny: no policy permits it/);
  expect(tested.stdout).toContain('0 passed, 1 failed');
});

test('without tests the command fails, and so it does with policies that are no good', async () => {
  expect(await leasehold('policy', 'test', await policies('untested', GOOD))).toMatchObject({ code: 1 });
  const broken = await policies('broken', 'permit (');
  for (const command of ['check', 'test']) {
    expect(await leasehold('policy', command, broken)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^.*own\.cedar:1: /),
    });
  }
});

test('a call that says too little is told how to say it', async () => {
  expect(await leasehold('policy', 'check')).toMatchObject({
    code: 2,
    stderr: 'usage:\n  leasehold policy check <dir>\n',
  });
});
