import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { watchFile } from '../../src/shared/watch-file.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';

const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => void stop()));

/** A file with the content `first` that is watched; `accepts` says what is taken. */
async function watched(accepts: (content: string) => boolean = () => true) {
  const path = join((await makeTempFolder('watch-file')).path, 'file');
  writeFileSync(path, 'first');
  const taken: string[] = [];
  const errors: string[] = [];
  const stop = watchFile(path, {
    intervalMs: 5,
    known: Buffer.from('first'),
    onChange(content) {
      if (!accepts(content.toString())) {
        throw new Error(`not ${content}`);
      }
      taken.push(content.toString());
    },
    onError: ({ message }) => void errors.push(message),
  });
  stops.push(stop);
  return { path, taken, errors };
}

test('another content is a change, the same written anew is none', async () => {
  const { path, taken } = await watched();
  writeFileSync(path, 'first');
  writeFileSync(path, 'second');
  await eventually(async () => expect(taken).toEqual(['second']));
  writeFileSync(path, 'second');
  writeFileSync(path, 'third');
  await eventually(async () => expect(taken).toEqual(['second', 'third']));
});

test('a content that is not taken is told of once, offered again, and does not end the watch', async () => {
  let isOpen = false;
  let offers = 0;
  const { path, taken, errors } = await watched(() => {
    offers += 1;
    return isOpen;
  });
  writeFileSync(path, 'second');
  await eventually(async () => expect(offers).toBeGreaterThan(3));
  expect(errors).toEqual(['not second']);
  isOpen = true;
  await eventually(async () => expect(taken).toEqual(['second']));
});
