import { v7 as uuidv7 } from 'uuid';
import { type Access, type AccessDraft, type GatewayRef, sameEndpoint } from '../domain/config.ts';
import { InvalidArgument } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';
import { renewalOf } from './token-renewal.ts';

/**
 * The access of the config of that uid that `draft` describes: `stored`, where that is it already, or else a new one. Throws InvalidArgument where
 * there is no gateway of that name, where the token of `stored` would go by another one, and
 * where a token is to be renewed that cannot be.
 */
export async function accessFor(ports: Ports, draft: AccessDraft, configUid: string, stored?: Access): Promise<Access> {
  const id = uuidv7();
  if (draft.kind === 'gateway') {
    const gateway = await gatewayNamed(ports, draft.gateway, 'config.gateway.name');
    return stored?.kind === 'gateway' && isSame(stored.gateway, gateway)
      ? stored
      : { kind: 'gateway', id, configUid, gateway };
  }
  requireRenewable(draft);
  const gateway =
    draft.gateway === undefined ? undefined : await gatewayNamed(ports, draft.gateway, 'config.direct.gateway');
  if (stored?.kind === 'direct' && draft.token === stored.token && !isSame(stored.gateway, gateway)) {
    const description =
      'must be given: the gateway is another of that name, and the stored token is not sent elsewhere';
    throw new InvalidArgument([{ field: 'config.direct.token', description }]);
  }
  const isStored =
    stored?.kind === 'direct' &&
    isSame(stored.gateway, gateway) &&
    sameEndpoint({ ...stored, gateway: stored.gateway?.name }, draft) &&
    stored.renewToken === draft.renewToken &&
    stored.token.equals(draft.token);
  return isStored ? stored : { ...draft, id, configUid, gateway };
}

function requireRenewable({ token, renewToken }: Extract<AccessDraft, { kind: 'direct' }>): void {
  const how = renewToken ? renewalOf(token) : undefined;
  if (how && 'problem' in how) {
    throw new InvalidArgument([{ field: 'config.direct.renew_token', description: `the token ${how.problem}` }]);
  }
}

async function gatewayNamed(ports: Ports, name: string, field: string): Promise<GatewayRef> {
  const gateway = await ports.gateways.get(name);
  if (!gateway) {
    throw new InvalidArgument([{ field, description: `there is no gateway ${JSON.stringify(name)}` }]);
  }
  return { name, uid: gateway.uid };
}

/** One that was deleted and made anew is another: it may stand in another cluster. */
function isSame(one: GatewayRef | undefined, other: GatewayRef | undefined): boolean {
  return one?.uid === other?.uid;
}
