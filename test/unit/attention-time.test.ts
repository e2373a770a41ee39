import { expect, test } from 'vitest';
import { attentionTime } from '../../src/shared/domain/lease.ts';
import { sampleConfig, sampleLease } from '../contract/samples.ts';

test.each([
  ['its end, where that is sooner', { expireTime: 1_000, issueDeadline: 2_000 }],
  ['the deadline of its issue otherwise', { expireTime: 2_000, issueDeadline: 1_000 }],
])('a lease that is being issued wants attention at %s: a sweep may set its first alarm', (_, times) => {
  expect(attentionTime(sampleLease(sampleConfig('blue'), times))).toBe(1_000);
});
