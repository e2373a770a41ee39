import { BatchRevokeLeasesResponse, LeaseOutcome } from '../../gen/leasehold/v1/lease_service.ts';
import type { BatchNews } from '../../shared/leases/batch.ts';
import { MessageRoom } from '../limits/message-room.ts';
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
    const parts = outcomes.length > 0 ? partsThatFit(outcomes) : [[]];
    for (const [index, part] of parts.entries()) {
      for (const { leaseId, state } of part) {
        const [into, outOf] = state === 'REVOKING' ? [failed, down] : [down, failed];
        into.add(leaseId);
        outOf.delete(leaseId);
      }
      yield BatchRevokeLeasesResponse.fromPartial({
        batchId,
        outcomes: part.map(outcomeMessage),
        done: ended && index === parts.length - 1,
        revokedCount: down.size,
        failedCount: failed.size,
      });
    }
  }
}

/** Errors may be long: what would not fit into one message is told in several. */
function partsThatFit(outcomes: BatchNews['outcomes']): BatchNews['outcomes'][] {
  const parts: BatchNews['outcomes'][] = [];
  let room = new MessageRoom(LeaseOutcome);
  for (const outcome of outcomes) {
    const message = outcomeMessage(outcome);
    const current = parts.at(-1);
    if (current && room.takes(message)) {
      current.push(outcome);
    } else {
      room = new MessageRoom(LeaseOutcome);
      room.takes(message);
      parts.push([outcome]);
    }
  }
  return parts;
}

function outcomeMessage({ state, forced = false, ...outcome }: BatchNews['outcomes'][number]): LeaseOutcome {
  return { ...outcome, state: stateMessage(state), forced };
}
