import { AbortError } from 'abort-controller-x';
import type { CallContext } from 'nice-grpc-common';
import { NotFound, PermissionDenied, RecordDamaged } from '../shared/domain/errors.ts';
import { type Principal, principalName } from '../shared/domain/principal.ts';
import type { Action, Authorizer, Conditions, Resource } from '../shared/ports/authorizer.ts';
import type { Audit, AuditEvent } from './audit.ts';
import type { CallerContext } from './caller.ts';

/** Who calls, as the code of an RPC needs it. */
export interface Caller {
  principal: Principal;
  /** `principalName` of it: the owner of what it asks for. */
  name: string;
  /** Aborts where the call is given up. */
  signal: AbortSignal;
  /** For a list: whether an item may be shown. */
  may(action: Action, resource: Resource): boolean;
  /** For what is known only in the midst of a call. Throws PermissionDenied. */
  require(action: Action, resource: Resource, conditions?: Conditions): void;
}

/** An RPC in four steps: what is asked for, what it is about, whether that is allowed, and what is done. */
interface Steps<Request, Wanted, Found extends { resource: Resource }> {
  /** Throws InvalidArgument. */
  parse(request: Request): Wanted;
  /** Throws NotFound: to the caller that is no other than PERMISSION_DENIED, unless it may do the same on any such thing. */
  on(wanted: Wanted): Found | Promise<Found>;
  /** Left out: none. */
  conditions?(wanted: Wanted, found: Found): Conditions;
}

declare const guards: unique symbol;

/** The code of an RPC that asks before it acts. Only a Guard makes one. */
type Guarded<A extends Action, Rpc> = Rpc & { readonly [guards]: A };

/** A service each of whose RPCs asks for the action of its name: another one, or none, does not compile. */
export type GuardedService<Implementation> = {
  [Name in keyof Implementation]: Guarded<Extract<Action, Capitalize<Name & string>>, Implementation[Name]>;
};

type Context = CallContext & CallerContext;

/** Stands before each RPC: nothing is done, and nothing told, that the policies do not permit. */
export class Guard {
  readonly #authorizer: Authorizer;
  readonly #audit: Audit;

  constructor(authorizer: Authorizer, audit: Audit) {
    this.#authorizer = authorizer;
    this.#audit = audit;
  }

  unary<A extends Action, Request, Wanted, Found extends { resource: Resource }, Response>(
    action: A,
    steps: Steps<Request, Wanted, Found> & { run(wanted: Wanted, found: Found, caller: Caller): Promise<Response> },
  ): Guarded<A, (request: Request, context: Context) => Promise<Response>> {
    const rpc = async (request: Request, context: Context) => {
      const call = new GuardedCall(action, this.#authorizer, context);
      try {
        const { wanted, found } = await call.admit(steps, request);
        const response = await steps.run(wanted, found, call);
        this.#audit(call.event());
        return response;
      } catch (error) {
        this.#audit(call.event(error));
        throw error;
      }
    };
    return rpc as Guarded<A, typeof rpc>;
  }

  stream<A extends Action, Request, Wanted, Found extends { resource: Resource }, Response>(
    action: A,
    steps: Steps<Request, Wanted, Found> & {
      run(wanted: Wanted, found: Found, caller: Caller): AsyncIterable<Response>;
    },
  ): Guarded<A, (request: Request, context: Context) => AsyncIterable<Response>> {
    const audit = this.#audit;
    const authorizer = this.#authorizer;
    const rpc = async function* (request: Request, context: Context) {
      const call = new GuardedCall(action, authorizer, context);
      // Stays where the caller leaves between two messages: then this is returned from, and neither ends nor throws.
      let error: unknown = new AbortError();
      try {
        const { wanted, found } = await call.admit(steps, request);
        yield* steps.run(wanted, found, call);
        error = undefined;
      } catch (thrown) {
        error = thrown;
        throw thrown;
      } finally {
        audit(call.event(error));
      }
    };
    return rpc as Guarded<A, typeof rpc>;
  }
}

class GuardedCall implements Caller {
  readonly principal: Principal;
  readonly name: string;
  readonly signal: AbortSignal;
  readonly #action: Action;
  readonly #authorizer: Authorizer;
  readonly #context: Context;
  #resource: Resource | undefined;
  #conditions: Conditions | undefined;

  constructor(action: Action, authorizer: Authorizer, context: Context) {
    this.principal = context.principal;
    this.name = principalName(context.principal);
    this.signal = context.signal;
    this.#action = action;
    this.#authorizer = authorizer;
    this.#context = context;
  }

  async admit<Request, Wanted, Found extends { resource: Resource }>(
    steps: Steps<Request, Wanted, Found>,
    request: Request,
  ): Promise<{ wanted: Wanted; found: Found }> {
    const wanted = steps.parse(request);
    const found = await this.#find(() => steps.on(wanted));
    this.#resource = found.resource;
    this.#conditions = steps.conditions?.(wanted, found);
    this.require(this.#action, found.resource, this.#conditions);
    return { wanted, found };
  }

  may(action: Action, resource: Resource, conditions: Conditions = {}): boolean {
    const { principal, origin } = this.#context;
    return this.#authorizer.allows({ principal, action, resource, conditions, origin });
  }

  require(action: Action, resource: Resource, conditions?: Conditions): void {
    if (!this.may(action, resource, conditions)) {
      throw denied(action);
    }
  }

  event(error?: unknown): AuditEvent {
    const { principal, origin } = this.#context;
    return { principal, action: this.#action, resource: this.#resource, conditions: this.#conditions, origin, error };
  }

  /** Who may not see a thing must not learn that it is not there, either (AIP-211), or cannot be read. */
  async #find<Found>(find: () => Found | Promise<Found>): Promise<Found> {
    try {
      return await find();
    } catch (error) {
      if (error instanceof NotFound || error instanceof RecordDamaged) {
        this.#resource = anyOne(error);
        this.require(this.#action, this.#resource);
      }
      throw error;
    }
  }
}

/** The same words whatever it is about, and whether that exists or not. */
function denied(action: Action): PermissionDenied {
  return new PermissionDenied(
    'PERMISSION_DENIED',
    `the policies do not permit this ${action}, or there is nothing of that name`,
  );
}

/** What does not exist could be any: a policy about labels or owners would else answer for the one that it is not. */
function anyOne({ resourceType, resourceName }: NotFound | RecordDamaged): Resource {
  return resourceType === 'batch' ? { kind: 'installation' } : { kind: 'any', of: resourceType, name: resourceName };
}
