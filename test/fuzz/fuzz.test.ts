import { HealthDefinition } from 'nice-grpc-server-health';
import { ServerReflectionService } from 'nice-grpc-server-reflection';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { fuzzTarget } from './fuzz-target.ts';
import { type FuzzedSite, openFuzzedSite } from './fuzzed-site.ts';
import { type Line, mebibytes, tableOf } from './report.ts';
import { everyRpc } from './rpcs.ts';
import { knownValues, openTargets, type Target, type Targets } from './targets.ts';

// Whatever bytes a caller sends: the server says what is wrong with them, and goes on. `npm run test:fuzz` sends many.

const MESSAGES = Number(process.env['FUZZ_MESSAGES'] ?? inject('fuzzMessages'));
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A part of the names of the targets that are wanted; all where it is not set. */
const ONLY = process.env['FUZZ_ONLY'] ?? '';

/** Sent to each before the memory is looked at: caches and compiled code come first. */
const WARM_UP = Math.min(MESSAGES, 3_000);

const MAX_HEAP_GROWTH = 32 * 1024 * 1024;

const LONGEST_RUN_MS = 3_600_000;

let site: FuzzedSite;
let targets: Targets;
beforeAll(async () => {
  site = await openFuzzedSite(inject('redisUrl'));
  await site.furnish();
  targets = await openTargets(site, everyRpc());
});
afterAll(async () => {
  await targets?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
});

test('every RPC of health checking and reflection is among those that are fuzzed', () => {
  const paths = everyRpc().map(({ path }) => path);
  const health = Object.values(HealthDefinition.methods).map(({ name }) => `/${HealthDefinition.fullName}/${name}`);
  const reflection = Object.values(ServerReflectionService).map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining([...health, ...reflection]));
});

test(
  'no message crashes the server, is answered as a fault of ours, or stays in its memory',
  async () => {
    console.log(`fuzz: ${MESSAGES} messages for each of ${targets.all.length} targets; FUZZ_SEED=${SEED}`);
    const wanted = targets.all.filter(({ name }) => name.includes(ONLY));
    for (const target of wanted) {
      await fuzz(target, WARM_UP, SEED + 1);
    }
    const before = await site.memory();
    const lines: Line[] = [];
    for (const target of wanted) {
      lines.push(await fuzz(target, MESSAGES, SEED));
    }
    const after = await site.memory();
    console.log(tableOf(lines));
    console.log(
      `heap after the warm-up ${mebibytes(before.heapUsed)} MiB, at the end ${mebibytes(after.heapUsed)} MiB; ` +
        `rss ${mebibytes(before.rss)} MiB, ${mebibytes(after.rss)} MiB`,
    );
    expect(lines.flatMap(({ name, faults }) => faults.map((fault) => ({ name, ...fault })))).toEqual([]);
    expect(site.server.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(MAX_HEAP_GROWTH);
  },
  LONGEST_RUN_MS,
);

async function fuzz(target: Target, messages: number, seed: number): Promise<Line> {
  const known = knownValues(site, await site.furnish());
  const before = await site.memory();
  const started = performance.now();
  const tally = await fuzzTarget(target, known, { messages, seed });
  const seconds = (performance.now() - started) / 1000;
  return { name: target.name, seconds, before, after: await site.memory(), ...tally };
}
