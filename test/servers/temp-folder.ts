import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atProcessEnd } from './at-process-end.ts';

// A server that was just killed may still be writing its last file: then the removal is tried again.
const REMOVAL = { recursive: true, force: true, maxRetries: 5 } as const;

export interface TempFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** A private new folder, which also goes away when this process exits without removing it. */
export async function makeTempFolder(purpose: string): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `leasehold-${purpose}-`));
  const forget = atProcessEnd(() => rmSync(path, REMOVAL));
  return {
    path,
    async remove() {
      await rm(path, REMOVAL);
      forget();
    },
  };
}
