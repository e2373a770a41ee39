import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SHIPPED_POLICIES } from '../../src/shared/authorization/policy-files.ts';
import { checkPolicies, testPolicies } from '../../src/shared/authorization/policy-folder.ts';
import { ACTIONS } from '../../src/shared/ports/authorizer.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';

const page = await readFile(new URL('../../docs/policies.md', import.meta.url), 'utf8');
const folder = await makeTempFolder('policies-page');
afterAll(() => folder.remove());

const EXAMPLE = /^### (?<title>.+)\n\n```cedar\n(?<policies>[\s\S]+?)```\n\n```yaml\n(?<tests>[\s\S]+?)```$/gm;

const examples = [...page.matchAll(EXAMPLE)].map(({ groups = {} }) => groups);

test('the page has examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(3);
});

test.each(examples)('example: $title', async ({ title = '', policies = '', tests = '' }) => {
  const path = join(folder.path, title.replaceAll(' ', '-'));
  await cp(SHIPPED_POLICIES, path, { recursive: true });
  await rm(join(path, 'tests'), { recursive: true });
  await mkdir(join(path, 'tests'));
  await writeFile(join(path, 'example.cedar'), policies);
  await writeFile(join(path, 'tests', 'example.yaml'), tests);
  expect(await checkPolicies(path)).toEqual([]);
  const { results, untested } = await testPolicies(path);
  expect(results.filter(({ problem }) => problem !== undefined)).toEqual([]);
  expect(untested.filter((place) => place.includes('example.cedar'))).toEqual([]);
});

test.each(ACTIONS)('the page tells of %s', (action) => {
  expect(page).toMatch(new RegExp(`^\\| [\\w, ]*\\b${action}\\b`, 'm'));
});
