import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Evidence } from './evidence-folder.ts';
import { formsOf } from './forms-of.ts';
import { Pieces } from './pieces.ts';
import { findPatterns } from './secret-patterns.ts';

/** Where a secret stands that must not. */
export interface Leak {
  place: Evidence;
  what: string;
  /** What stands before it: enough to see who wrote it. */
  before: string;
}

export interface ScanResult {
  bytes: Record<(typeof PLACES)[number], number>;
  spans: number;
  auditEvents: number;
  knownSecrets: number;
  leaks: Leak[];
}

const PLACES = ['redis', 'logs', 'spans'] as const;

const CHUNK = 16 * 1024 * 1024;

/** A secret on the border of two chunks is in one of them whole. */
const OVERLAP = 16 * 1024;

const SHOWN_BEFORE = 200;

/** Looks for each known secret, and for what looks like one, in all that was kept. */
export async function scanEvidence(folder: string): Promise<ScanResult> {
  const secrets = await knownSecretsIn(join(folder, 'secrets'));
  const pieces = new Pieces();
  for (const form of secrets.flatMap(formsOf)) {
    pieces.add(form);
  }
  const result: ScanResult = {
    bytes: { redis: 0, logs: 0, spans: 0 },
    spans: 0,
    auditEvents: 0,
    knownSecrets: secrets.length,
    leaks: [],
  };
  for (const place of PLACES) {
    for (const file of await filesIn(join(folder, place))) {
      result.bytes[place] += (await stat(file)).size;
      for await (const { chunk, seenBefore } of chunksOf(file)) {
        const text = chunk.toString('latin1');
        result.leaks.push(...leaksIn(place, chunk, text, pieces));
        const fresh = text.slice(seenBefore);
        result.spans += place === 'spans' ? countOf('\n', fresh) : 0;
        result.auditEvents += place === 'logs' ? countOf('"audit":{', fresh) : 0;
      }
    }
  }
  return result;
}

async function knownSecretsIn(folder: string): Promise<string[]> {
  const texts = await Promise.all((await filesIn(folder)).map((file) => readFile(file, 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
  return [...new Set(lines)].map((line) => z.string().parse(JSON.parse(line)));
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return [];
    }
    throw error;
  });
  return names.map((name) => join(folder, name));
}

async function* chunksOf(path: string): AsyncGenerator<{ chunk: Buffer; seenBefore: number }> {
  await using file = await open(path);
  const buffer = Buffer.alloc(OVERLAP + CHUNK);
  let seenBefore = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, seenBefore, CHUNK);
    if (bytesRead === 0) {
      return;
    }
    const length = seenBefore + bytesRead;
    yield { chunk: buffer.subarray(0, length), seenBefore };
    seenBefore = Math.min(OVERLAP, length);
    buffer.copy(buffer, 0, length - seenBefore, length);
  }
}

function* leaksIn(place: Evidence, bytes: Buffer, text: string, pieces: Pieces): Generator<Leak> {
  const before = (start: number) => text.slice(Math.max(0, start - SHOWN_BEFORE), start);
  for (const start of pieces.find(bytes)) {
    yield { place, what: 'a secret of the tests', before: before(start) };
  }
  for (const { what, start } of findPatterns(text)) {
    yield { place, what, before: before(start) };
  }
}

function countOf(part: string, text: string): number {
  return text.split(part).length - 1;
}
