import fc from 'fast-check';
import { beforeAll, describe, test } from 'vitest';
import { livesOf } from './actions.ts';
import { live } from './live.ts';
import { MIXES } from './mixes.ts';
import { startTracing } from './tracing.ts';

// Lives of Leasehold on ports in memory, in virtual time, with whatever may fail in between: the nine invariants hold at
// each step and at the end. A failure prints the shortest life that shows it; LEASEHOLD_MODEL_SEED repeats a run.

const RUNS_OF_EACH = Number(process.env['LEASEHOLD_MODEL_RUNS'] ?? 2_000);

const seed = Number(process.env['LEASEHOLD_MODEL_SEED'] ?? Date.now() % 2 ** 31);

beforeAll(startTracing);

describe('the nine invariants hold through', () => {
  test.each(Object.entries(MIXES))('%s', { timeout: 300_000 }, async (name, mix) => {
    process.stdout.write(`model: ${RUNS_OF_EACH} lives with ${name}; LEASEHOLD_MODEL_SEED=${seed}\n`);
    await fc.assert(
      fc.asyncProperty(livesOf(mix), (life) => live(life)),
      { seed, numRuns: RUNS_OF_EACH },
    );
  });
});

test('they hold where an issuer who was taken for dead tells what it never made of a lease that is revoked meanwhile', () =>
  live({
    seed: 1_603_013_902,
    mayList: true,
    mayReadNamespaces: false,
    kinds: ['namespaced', 'namespaced'],
    steps: [
      {
        action: { do: 'issue', config: 'blue', ttl: 600, namespace: 'one', requestId: undefined, patienceMs: 60_000 },
        thenMs: 0,
      },
      { action: { do: 'jump', ms: 90_000 }, thenMs: 3 },
      { action: { do: 'revoke', lease: 0, force: false }, thenMs: 5_000 },
    ],
  }));
