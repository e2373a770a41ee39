import { describe, expect, test } from 'vitest';
import { endByForce, type Lease, MAX_LAST_ERROR, noteFailure } from '../../src/shared/domain/lease.ts';
import { MAX_PRINCIPAL_NAME } from '../../src/shared/domain/principal.ts';
import { active, revoking, sampleConfig, sampleLease } from '../contract/samples.ts';

// How large the record of one lease can become by what others choose: names, audiences, and what a cluster says.

const FLOOD = 'x'.repeat(1_000_000);

const LARGEST = sampleConfig('c'.repeat(63), {
  audiences: Array.from({ length: 16 }, (_, index) => `${index}`.padStart(253, 'a')),
  credential: {
    kind: 'dynamic',
    allowedNamespaces: ['n'.repeat(63)],
    role: { kind: 'ClusterRole', name: 'r'.repeat(253) },
    bindingScope: 'namespace',
  },
});

const FAILURE = { lastError: FLOOD, nextTryTime: 0, stalledAfter: 10 };

describe('a record takes at most 10,000 characters', () => {
  const going = revoking(active(sampleLease(LARGEST, { principal: 'p'.repeat(MAX_PRINCIPAL_NAME) })));
  test.each<[string, Lease]>([
    ['while its take-down fails', noteFailure(going, FAILURE)],
    ['after an end by force', endByForce({ ...going, endAs: 'REVOKED' }, 0, FLOOD)],
  ])('%s', (_, lease) => {
    expect(JSON.stringify(lease).length).toBeLessThanOrEqual(10_000);
    expect(lease.lastError).toHaveLength(MAX_LAST_ERROR);
    expect(lease.lastError).toMatch(/x\.\.\.x/);
  });
});

test('an error of usual length stays as it is', () => {
  const going = revoking(sampleLease(LARGEST));
  expect(noteFailure(going, { ...FAILURE, lastError: 'forbidden' }).lastError).toBe('forbidden');
});

test('of a longer one the middle is left out: it says what failed, and what to do', () => {
  const going = revoking(sampleLease(LARGEST));
  const lastError = `could not delete: ${FLOOD}. Grant it "delete"`;
  expect(noteFailure(going, { ...FAILURE, lastError }).lastError).toMatch(
    /^could not delete: x+\.\.\.x+\. Grant it "delete"$/,
  );
});
