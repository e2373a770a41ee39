import {
  Gateway as GatewayMessage,
  type EnrolmentToken as TokenMessage,
} from '../../gen/leasehold/v1/gateway_service.ts';
import type { EnrolmentToken } from '../../shared/gateways/enrolment-token.ts';
import type { GatewayView } from '../../shared/gateways/view-gateway.ts';
import { dateOf } from './date.ts';

/** Agents that are shown of one gateway. With all that is known of each, about 400 bytes, they fit into one message. */
const MAX_AGENTS = 1_000;

/** A gateway as callers see it. */
export function gatewayMessage(gateway: GatewayView): GatewayMessage {
  return GatewayMessage.fromPartial({
    name: gateway.name,
    uid: gateway.uid,
    createTime: dateOf(gateway.createTime),
    agents: gateway.links
      .slice(0, MAX_AGENTS)
      .map(({ instanceId, identityId, version, connectTime, lastSeenTime, server }) => ({
        instanceId,
        identityId,
        version,
        connectTime: new Date(connectTime),
        lastSeenTime: new Date(lastSeenTime),
        serverAddress: server,
      })),
    lastSeenTime: dateOf(gateway.lastSeenTime),
    identityCount: gateway.identityCount,
    agentCount: gateway.links.length,
  });
}

/** What is shown once: here, and nowhere else, an enrolment token leaves its wrapper. */
export function enrolmentTokenMessage({ token, expireTime }: EnrolmentToken): TokenMessage {
  return { token: token.reveal(), expireTime: new Date(expireTime) };
}
