import { randomUUID } from 'node:crypto';
import { mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What a test run keeps until its end: what must show no secret, and the secrets themselves. */
export type Evidence = 'logs' | 'spans' | 'redis' | 'secrets';

/** The global set-up sets it; the processes of the tests inherit it. */
const VARIABLE = 'LEASEHOLD_TEST_EVIDENCE';

/** Begins to keep evidence in that folder, in this process and those that it starts. */
export function keepEvidenceIn(folder: string): void {
  process.env[VARIABLE] = folder;
}

/** Undefined where nobody keeps any: in unit tests, demo and benchmarks. */
export function evidenceFolder(): string | undefined {
  return process.env[VARIABLE];
}

/** A path there for a file that nobody else writes; undefined where no evidence is kept. */
export function evidencePath(kind: Evidence): string | undefined {
  const folder = evidenceFolder();
  if (folder === undefined) {
    return undefined;
  }
  mkdirSync(join(folder, kind), { recursive: true, mode: 0o700 });
  return join(folder, kind, `${process.pid}-${randomUUID()}`);
}

const openFiles = new Map<Evidence, number>();

/** Keeps a text, at once: a process may be killed the next moment. Does nothing where no evidence is kept. */
export function keepEvidence(kind: Evidence, text: string | Uint8Array): void {
  const file = openFiles.get(kind) ?? open(kind);
  if (file !== undefined) {
    writeSync(file, Buffer.from(text));
  }
}

function open(kind: Evidence): number | undefined {
  const path = evidencePath(kind);
  if (path === undefined) {
    return undefined;
  }
  const file = openSync(path, 'a', 0o600);
  openFiles.set(kind, file);
  return file;
}
