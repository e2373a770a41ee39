import { Status } from 'nice-grpc-common';
import { RetryInfo } from 'nice-grpc-error-details';
import { expect, test } from 'vitest';
import { statusOf } from '../../src/server/middleware/status-of.ts';
import { ClusterNotCalled } from '../../src/shared/domain/cluster-error.ts';

test('a wait that is no whole number of nanoseconds is none the less told', () => {
  const call = { verb: 'create', apiGroup: '', resource: 'secrets', namespace: 'team' } as const;
  const { extra } = statusOf(new ClusterNotCalled(call, 'it rests', { retryAfterMs: 1234.5678 }));
  expect(extra[1]).toEqual(RetryInfo.fromPartial({ retryDelay: { seconds: 1, nanos: 235_000_000 } }));
  expect(RetryInfo.encode(extra[1] as RetryInfo).finish().length).toBeGreaterThan(0);
});

test('a caller whose cluster rests is told when to try again', () => {
  const call = { verb: 'create', apiGroup: '', resource: 'secrets', namespace: 'team' } as const;
  const { code, extra } = statusOf(new ClusterNotCalled(call, 'it rests', { retryAfterMs: 2500 }));
  expect(code).toBe(Status.UNAVAILABLE);
  expect(extra).toMatchObject([
    { reason: 'CLUSTER_UNREACHABLE', metadata: { resource: 'secrets', namespace: 'team' } },
    { retryDelay: { seconds: 2, nanos: 500_000_000 } },
  ]);
});
