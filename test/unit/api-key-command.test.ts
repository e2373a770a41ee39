import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ApiKeys } from '../../src/server/authentication/api-keys.ts';
import { parseCallersFile } from '../../src/server/authentication/callers-file.ts';
import { Secret } from '../../src/shared/domain/secret.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const leasehold = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);

test('stdout is a key, and stderr a callers file that knows it', async () => {
  const options = ['--groups', 'admins,ops', '--expires', '2999-01-01T00:00:00Z'];
  const { stdout, stderr } = await leasehold('api-key', 'create', 'bootstrap', ...options);
  const { apiKeys } = parseCallersFile(stderr);
  expect(apiKeys).toMatchObject([{ groups: ['admins', 'ops'], expires: '2999-01-01T00:00:00Z' }]);
  const keys = new ApiKeys(
    apiKeys.map(({ name, sha256, groups }) => ({
      name,
      hash: Buffer.from(sha256, 'hex'),
      groups,
      expireTime: undefined,
    })),
  );
  expect(stdout).toMatch(/^leasehold_bootstrap_\S{43}\n$/);
  expect(stderr).not.toContain(stdout.trim());
  expect(await keys.authenticate({ bearer: new Secret(stdout.trim()), now: Date.now() })).toMatchObject({
    id: 'bootstrap',
    groups: ['admins', 'ops'],
  });
});

test.each<[string, string[], number]>([
  ['no name', [], 2],
  ['two names', ['a', 'b'], 2],
  ['a name that is no label', ['a_b'], 1],
  ['an end that is no time', ['a', '--expires', 'soon'], 1],
  ['an option that is not there', ['a', '--group', 'b'], 1],
])('%s makes no key', async (_name, args, code) => {
  await expect(leasehold('api-key', 'create', ...args)).rejects.toMatchObject({ code, stdout: '' });
});
