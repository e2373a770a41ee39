import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

/** What `npm install` writes of a package (docs.npmjs.com/cli/configuring-npm/package-lock-json). */
const Locked = z.looseObject({
  integrity: z.string().optional(),
  resolved: z.string().optional(),
  link: z.boolean().optional(),
  hasInstallScript: z.boolean().optional(),
});

const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()),
  overrides: z.record(z.string(), z.string()),
  allowScripts: z.record(z.string(), z.boolean()),
});

const manifest = Manifest.parse(JSON.parse(textOf('package.json')));
const { packages } = z
  .object({ packages: z.record(z.string(), Locked) })
  .parse(JSON.parse(textOf('package-lock.json')));
const locked = Object.entries(packages).filter(([path]) => path !== '');

describe('what npm installs', () => {
  test('is known by its hash, each package', () => {
    const unknown = locked.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'));
    expect(unknown).toEqual([]);
    expect(locked.length).toBeGreaterThan(100);
  });

  test('comes from the registry: nothing from git, a folder or a URL', () => {
    const elsewhere = locked.filter(([, { resolved, link }]) => resolved !== undefined || link === true);
    expect(elsewhere).toEqual([]);
  });

  test('is of the very versions that package.json names', () => {
    const { dependencies, devDependencies, optionalDependencies, overrides } = manifest;
    const wanted = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...overrides });
    expect(wanted.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe('install scripts', () => {
  test('are each allowed or denied by name, and no name is left over', () => {
    const withScript = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    expect([...new Set(withScript)].sort()).toEqual(Object.keys(manifest.allowScripts).sort());
  });

  test('fail the install where they are not named', () => {
    expect(textOf('.npmrc').split('\n')).toContain('strict-allow-scripts=true');
  });
});

function textOf(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}
