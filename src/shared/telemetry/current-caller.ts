import { AsyncLocalStorage } from 'node:async_hooks';
import type { Attributes } from '@opentelemetry/api';
import type { Principal } from '../domain/principal.ts';
import { shownPrincipal } from './shown-principal.ts';

const current = new AsyncLocalStorage<Principal>();

/** For whom the work goes on that runs now; undefined for what nobody asked for. */
export function currentCaller(): Principal | undefined {
  return current.getStore();
}

/** `steps`, each of them run as the work of `principal`: its log lines and spans say so. */
export async function* asWorkOf<T, Return>(
  principal: Principal,
  steps: AsyncGenerator<T, Return, undefined>,
): AsyncGenerator<T, Return, undefined> {
  let isDone = false;
  try {
    for (;;) {
      const step = await current.run(principal, () => steps.next());
      if (step.done) {
        isDone = true;
        return step.value;
      }
      yield step.value;
    }
  } finally {
    if (!isDone) {
      await current.run(principal, () => steps.return(undefined as Return));
    }
  }
}

/** A principal as attributes of a span. */
export function principalAttributes(principal: Principal | undefined): Attributes {
  if (!principal) {
    return {};
  }
  const { kind, id, issuer, groups, groupCount } = shownPrincipal(principal);
  return {
    'leasehold.principal.kind': kind,
    'leasehold.principal.id': id,
    'leasehold.principal.issuer': issuer,
    'leasehold.principal.groups': [...groups],
    'leasehold.principal.group_count': groupCount,
  };
}
