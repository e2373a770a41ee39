import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PolicyFile } from './policy-problem.ts';

/** The policies that Leasehold comes with. */
export const SHIPPED_POLICIES = fileURLToPath(new URL('./policies', import.meta.url));

/** Paths of all `*.cedar` files of a folder, in the order of their names. */
export function policyPaths(folder: string): Promise<string[]> {
  return pathsIn(folder, '.cedar');
}

/** These files. */
export async function readPolicyFiles(folder: string): Promise<PolicyFile[]> {
  return readFiles(await policyPaths(folder));
}

/** All `*.yaml` files of its folder `tests`; none where there is none. */
export async function readTestFiles(folder: string): Promise<PolicyFile[]> {
  const hasTests = (await readdir(folder)).includes('tests');
  return hasTests ? readFiles(await pathsIn(join(folder, 'tests'), '.yaml')) : [];
}

/** Not those whose name begins with a dot: Kubernetes keeps what a mounted ConfigMap links to in such. */
async function pathsIn(folder: string, extension: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(extension) && !name.startsWith('.'));
  return names.sort().map((name) => join(folder, name));
}

function readFiles(paths: readonly string[]): Promise<PolicyFile[]> {
  return Promise.all(paths.map(async (name) => ({ name, text: await readFile(name, 'utf8') })));
}
