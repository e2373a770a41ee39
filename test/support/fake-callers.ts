import { type CallOptions, Metadata, type ServerMiddlewareCall } from 'nice-grpc';
import type { CallContext } from 'nice-grpc-common';
import type { CallerContext } from '../../src/server/caller.ts';
import type { Principal } from '../../src/shared/domain/principal.ts';

const KEY = 'x-test-principal';

/** Stands in for authentication: a caller is who it says. Whoever says nothing may do everything. */
export function authenticationMiddleware() {
  return async function* authentication<Request, Response>(
    call: ServerMiddlewareCall<Request, Response, CallerContext>,
    context: CallContext,
  ) {
    const said = context.metadata.get(KEY);
    const principal = said === undefined ? caller('tests', ['admins']) : (JSON.parse(said) as Principal);
    const origin = { sourceIp: undefined, transport: 'plaintext' } as const;
    return yield* call.next(call.request as Request, { ...context, principal, origin });
  };
}

function caller(id: string, groups: readonly string[]): Principal {
  return { kind: 'api-key', id, issuer: 'leasehold', groups };
}

/** Options of a call by a caller of that name, who is in these groups. */
export function as(id: string, groups: readonly string[] = []): CallOptions {
  return { metadata: Metadata({ [KEY]: JSON.stringify(caller(id, groups)) }) };
}
