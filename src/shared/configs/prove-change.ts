import { isDeepStrictEqual } from 'node:util';
import { type Config, clusterOf, namespacesOf, sameEndpoint } from '../domain/config.ts';
import { isIntact, type StoredConfig } from '../domain/damaged-config.ts';
import type { Ports } from '../ports/ports.ts';
import { proveRenewal } from './prove-renewal.ts';
import { proveToken } from './prove-token.ts';
import { tryConfig } from './try-config.ts';
import { within } from './within.ts';

/**
 * Proves on the cluster of `after` what makes it another than `before`, and no more: what did not change may not work
 * just now, and must not keep a dead token from being replaced. Returns what could not be tried, in words for people.
 * Throws FailedPrecondition or a ClusterError.
 */
export async function proveChange(ports: Ports, before: StoredConfig, after: Config): Promise<string[]> {
  const namespaces = namespacesOf(after.credential);
  const untried = untriedNamespaces(before, after);
  if (untried.length === namespaces.length) {
    return tryConfig(ports, after);
  }
  const others = namespaces.filter((namespace) => !untried.includes(namespace));
  const proven = await proveAccess(ports, before, within(after, others));
  const tried = untried.length === 0 ? [] : await tryConfig(ports, within(after, untried));
  return [...proven, ...tried];
}

/**
 * Namespaces in which leases would do something that was not tried before. Whoever repairs a damaged config says that
 * it is still the same cluster; what cannot be read any more counts as unchanged.
 */
function untriedNamespaces(before: StoredConfig, { access, credential, audiences }: Config): readonly string[] {
  const all = namespacesOf(credential);
  const known = before.credential ?? credential;
  const goesElsewhere = isIntact(before) && clusterOf(before.access) !== clusterOf(access);
  if (goesElsewhere || !isDeepStrictEqual(before.audiences ?? audiences, audiences)) {
    return all;
  }
  if (known.kind === 'static' || credential.kind === 'static') {
    return isDeepStrictEqual(known, credential) ? [] : all;
  }
  const isSameRole = isDeepStrictEqual(known.role, credential.role) && known.bindingScope === credential.bindingScope;
  return isSameRole ? all.filter((namespace) => !known.allowedNamespaces.includes(namespace)) : all;
}

async function proveAccess(ports: Ports, before: StoredConfig, after: Config): Promise<string[]> {
  if (isIntact(before) && before.access === after.access) {
    return [];
  }
  const proven = isIntact(before) && isSameToken(before, after) ? [] : await proveToken(ports, before, after);
  return [...proven, ...(await proveRenewal(ports, before, after))];
}

function isSameToken({ access: before }: Config, { access: after }: Config): boolean {
  return (
    before.kind === 'direct' &&
    after.kind === 'direct' &&
    before.token.equals(after.token) &&
    sameEndpoint({ ...before, gateway: before.gateway?.name }, { ...after, gateway: after.gateway?.name })
  );
}
