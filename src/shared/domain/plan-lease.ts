import { type Config, namespacesOf } from './config.ts';
import { InvalidArgument } from './errors.ts';
import type { Lease, LeaseObject } from './lease.ts';
import { listed } from './shorten.ts';
import { chooseTtlSeconds } from './ttl.ts';

/** What a caller asks for. */
export interface LeaseRequest {
  config: string;
  ttlSeconds?: number | undefined;
  namespace?: string | undefined;
  audiences: readonly string[];
  requestId?: string | undefined;
  /** Who asks. */
  principal: string;
}

/** What stands around a new lease. */
export interface Birth {
  id: string;
  now: number;
  purpose: Lease['purpose'];
  /** How long issuing may take before its issuer counts as dead. */
  issueTimeoutMs: number;
  traceparent?: string | undefined;
}

/**
 * The PENDING record of a lease on `config`: every object is named before any is made. Throws InvalidArgument for what
 * the config does not allow or Kubernetes would refuse.
 */
export function planLease(config: Config, request: Omit<LeaseRequest, 'config'>, birth: Birth): Lease {
  const ttlSeconds = chooseTtlSeconds(config, request.ttlSeconds);
  const namespace = chooseNamespace(config, request.namespace);
  const objectName = `leasehold-${birth.id}`;
  return {
    id: birth.id,
    version: 1,
    purpose: birth.purpose,
    principal: request.principal,
    config: config.name,
    configUid: config.uid,
    accessId: config.access.id,
    state: 'PENDING',
    namespace,
    serviceAccount: config.credential.kind === 'static' ? config.credential.serviceAccount : objectName,
    objects: planObjects(config.credential, namespace, objectName),
    audiences: chooseAudiences(config, request.audiences),
    ttlSeconds,
    createTime: birth.now,
    issueDeadline: birth.now + birth.issueTimeoutMs,
    expireTime: birth.now + ttlSeconds * 1000,
    requestId: request.requestId,
    traceparent: birth.traceparent,
  };
}

/** In the order of their making: the others need the first. */
export function planObjects(credential: Config['credential'], namespace: string, name: string): LeaseObject[] {
  if (credential.kind === 'static') {
    return credential.revocable ? [{ kind: 'Secret', namespace, name }] : [];
  }
  const { role, bindingScope } = credential;
  return [
    { kind: 'ServiceAccount', namespace, name },
    bindingScope === 'cluster'
      ? { kind: 'ClusterRoleBinding', name, role }
      : { kind: 'RoleBinding', namespace, name, role },
  ];
}

function chooseNamespace(config: Config, asked: string | undefined): string {
  const allowed = namespacesOf(config.credential);
  const chosen = asked ?? (allowed.length === 1 ? allowed[0] : undefined);
  if (chosen !== undefined && allowed.includes(chosen)) {
    return chosen;
  }
  const problem = asked === undefined ? 'must be given' : `${JSON.stringify(asked)} is not allowed`;
  throw new InvalidArgument([
    {
      field: 'namespace',
      description: `${problem}; config ${JSON.stringify(config.name)} allows: ${listed(allowed)}`,
    },
  ]);
}

function chooseAudiences(config: Config, asked: readonly string[]): readonly string[] {
  const strangers = asked.filter((audience) => !config.audiences.includes(audience));
  if (strangers.length > 0) {
    const allowed = config.audiences.length > 0 ? listed(config.audiences) : "none but the API server's own";
    throw new InvalidArgument([
      {
        field: 'audiences',
        description: `${listed(strangers.map((stranger) => JSON.stringify(stranger)))} not allowed; config ${JSON.stringify(config.name)} allows: ${allowed}`,
      },
    ]);
  }
  return asked.length > 0 ? asked : config.audiences;
}
