import { readlinkSync } from 'node:fs';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { WatchedFiles } from '../../src/shared/watched-files.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';

const folder = await makeTempFolder('watched');
afterAll(() => folder.remove());

let count = 0;

/** Two files that must say the same. */
async function watchPair() {
  const paths = ['a', 'b'].map((name) => join(folder.path, `${count++}-${name}`));
  const write = (...texts: string[]) => Promise.all(texts.map((text, index) => writeFile(paths[index] ?? '', text)));
  await write('1', '1');
  const lines: { level: string; message: string }[] = [];
  const logTo = (level: string) => (_: object, message: string) => void lines.push({ level, message });
  const files = await WatchedFiles.open({
    what: 'a pair',
    paths,
    parse([a = '', b = '']) {
      if (String(a) !== String(b)) {
        throw new Error(`${a} is not ${b}`);
      }
      return String(a);
    },
    log: { info: logTo('info'), error: logTo('error') },
    everyMs: 100,
  });
  const seen: string[] = [];
  files.onReload((value) => seen.push(value));
  const shouts = () => lines.filter(({ level }) => level === 'error').length;
  return { paths, write, files, seen, lines, shouts };
}

test('a change is loaded, told of and logged', async () => {
  const { write, files, seen, lines } = await watchPair();
  expect(files.current).toBe('1');
  await write('2', '2');
  await eventually(async () => expect(lines).toEqual([{ level: 'info', message: 'reloaded' }]));
  expect(files.current).toBe('2');
  expect(seen).toEqual(['2']);
  files.close();
});

test('what is bad is shouted about once, and what was there stays, until it is good again', async () => {
  const { write, files, seen, shouts, paths } = await watchPair();
  await write('2', '3');
  await eventually(async () => expect(shouts()).toBe(1));
  expect(files.current).toBe('1');
  await rm(paths[0] ?? '');
  await eventually(async () => expect(shouts()).toBe(2));
  expect(files.current).toBe('1');
  await write('3', '3');
  await eventually(async () => expect(files.current).toBe('3'));
  expect([seen, shouts()]).toEqual([['3'], 2]);
  files.close();
});

test('a link that leads elsewhere is a change: so Kubernetes replaces what it mounts', async () => {
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('v1'), '1');
  await writeFile(at('v2'), '2');
  await symlink(at('v1'), at('link'));
  const log = { info: () => undefined, error: () => undefined };
  const files = await WatchedFiles.open({
    what: 'a link',
    paths: [at('link')],
    parse: ([text]) => String(text),
    log,
    everyMs: 100,
  });
  await symlink(at('v2'), at('new-link'));
  await rename(at('new-link'), at('link'));
  expect(readlinkSync(at('link'))).toBe(at('v2'));
  await eventually(async () => expect(files.current).toBe('2'));
  files.close();
});

test('at the start, what is bad is an error that names the file', async () => {
  const log = { info: () => undefined, error: () => undefined };
  const missing = WatchedFiles.open({ what: 'callers', paths: ['/nowhere/callers.yaml'], parse: () => 1, log });
  await expect(missing).rejects.toThrow(/^callers cannot be loaded: \/nowhere\/callers.yaml: ENOENT/);
});
