import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ForwardRequest, ForwardResponse } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { Secret } from '../../shared/domain/secret.ts';
import { carryForwardOnHolder } from '../../shared/tunnel/carry.ts';
import { join } from '../../shared/tunnel/join.ts';
import type { RelayHost } from './relay-host.ts';

/** Less than who asked waits by default: where an agent is silent, another is asked before he gives up. */
const OPEN_TIMEOUT_MS = 2_500;

/** A worker needs channels for many clusters on one stream. */
const MAX_CHANNELS = 4_096;

/** Serves another process of the installation: joins its channels with those of agents whose streams end here. */
export async function serveForward(
  { relay, bearers, proven }: RelayHost,
  call: ServerDuplexStream<ForwardRequest, ForwardResponse>,
): Promise<void> {
  const [shown = ''] = call.metadata.get('authorization');
  const shownBearer = new Secret(String(shown));
  if (!bearers().some((bearer) => new Secret(`Bearer ${bearer.reveal()}`).equals(shownBearer))) {
    throw new Unauthenticated('IDENTITY_REFUSED', 'the caller is no other process of this installation');
  }
  proven(call);
  const carried = carryForwardOnHolder(call, {
    maxChannels: MAX_CHANNELS,
    async accept({ gatewayUid, target }, signal) {
      const inner = await relay.openHere(gatewayUid, target, OPEN_TIMEOUT_MS, signal);
      return (outer) => join(outer, inner);
    },
  });
  await carried.over;
}
