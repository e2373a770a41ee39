import { Status } from 'nice-grpc-common';
import { expect, test } from 'vitest';
import { statusOf } from '../../src/server/middleware/status-of.ts';
import { ClusterNotCalled } from '../../src/shared/domain/cluster-error.ts';

test('a caller whose cluster rests is told when to try again', () => {
  const call = { verb: 'create', apiGroup: '', resource: 'secrets', namespace: 'team' } as const;
  const { code, extra } = statusOf(new ClusterNotCalled(call, 'it rests', { retryAfterMs: 2500 }));
  expect(code).toBe(Status.UNAVAILABLE);
  expect(extra).toMatchObject([
    { reason: 'CLUSTER_UNREACHABLE', metadata: { resource: 'secrets', namespace: 'team' } },
    { retryDelay: { seconds: 2, nanos: 500_000_000 } },
  ]);
});
