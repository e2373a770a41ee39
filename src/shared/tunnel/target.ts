import type { Open } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** Where a channel leads: to the agent's door to its own API server, or over TCP to `host:port`. */
export type Target = { kind: 'api-server' } | { kind: 'address'; address: string };

export function openOf(target: Target, gatewayUid: string): Open {
  return target.kind === 'api-server'
    ? { target: { $case: 'apiServer', value: {} }, gatewayUid }
    : { target: { $case: 'address', value: target.address }, gatewayUid };
}

/** Undefined where the other side is newer and names a kind of target that we do not know. */
export function targetOf({ target }: Open): Target | undefined {
  switch (target?.$case) {
    case 'apiServer':
      return { kind: 'api-server' };
    case 'address':
      return { kind: 'address', address: target.value };
    case undefined:
      return undefined;
  }
}
