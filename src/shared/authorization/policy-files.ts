import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PolicyFile } from './policy-problem.ts';

/** The policies that Leasehold comes with. */
export const SHIPPED_POLICIES = fileURLToPath(new URL('./policies', import.meta.url));

/** All `*.cedar` files of a folder, in the order of their names. */
export function readPolicyFiles(folder: string): Promise<PolicyFile[]> {
  return readFiles(folder, '.cedar');
}

/** All `*.yaml` files of its folder `tests`; none where there is none. */
export async function readTestFiles(folder: string): Promise<PolicyFile[]> {
  const hasTests = (await readdir(folder)).includes('tests');
  return hasTests ? readFiles(join(folder, 'tests'), '.yaml') : [];
}

/** Not those whose name begins with a dot: Kubernetes keeps what a mounted ConfigMap links to in such. */
async function readFiles(folder: string, extension: string): Promise<PolicyFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(extension) && !name.startsWith('.'));
  return Promise.all(
    names.sort().map(async (name) => ({ name: join(folder, name), text: await readFile(join(folder, name), 'utf8') })),
  );
}
