import { BatchRevokeLeasesResponse } from '../../gen/leasehold/v1/lease_service.ts';
import type { BatchNews } from '../../shared/leases/batch.ts';
import { stateMessage } from './lease-message.ts';

/** The news of a batch as its caller sees them, with counts of what became of its leases so far. */
export async function* batchMessages(
  batchId: string,
  news: AsyncIterable<BatchNews>,
): AsyncIterable<BatchRevokeLeasesResponse> {
  // The last word on a lease counts: after a restart one may be told of again.
  const down = new Set<string>();
  const failed = new Set<string>();
  for await (const { outcomes, ended } of news) {
    for (const { leaseId, state } of outcomes) {
      const [into, outOf] = state === 'REVOKING' ? [failed, down] : [down, failed];
      into.add(leaseId);
      outOf.delete(leaseId);
    }
    yield BatchRevokeLeasesResponse.fromPartial({
      batchId,
      outcomes: outcomes.map(({ leaseId, state, error }) => ({ leaseId, state: stateMessage(state), error })),
      done: ended,
      revokedCount: down.size,
      failedCount: failed.size,
    });
  }
}
