import { link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evidencePath } from './evidence-folder.ts';

/** Keeps what a Redis that has stopped had written to its folder: every value, also of keys that are gone. */
export async function keepAppendOnlyFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const kept = name.endsWith('.aof') ? evidencePath('redis') : undefined;
    if (kept !== undefined) {
      await link(join(folder, name), kept);
    }
  }
}
