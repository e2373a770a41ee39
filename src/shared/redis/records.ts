import { z } from 'zod';
import { storedBaseUrl } from '../domain/https-url.ts';
import { LEASE_STATES } from '../domain/lease.ts';
import { Secret } from '../domain/secret.ts';

// The shapes of what is stored. Records are parsed when they are read: what somebody else wrote there is input.

const Role = z.object({ kind: z.enum(['Role', 'ClusterRole']), name: z.string() });

const GatewayRef = z.object({ name: z.string(), uid: z.string() });

const DirectAccess = z.object({
  kind: z.literal('direct'),
  // Those of before URLs were canonical must not look like other clusters.
  url: z.string().transform(storedBaseUrl),
  tls: z.object({
    caPem: z.string().optional().transform(orUndefined),
    insecureSkipVerify: z.boolean(),
    serverName: z.string().optional().transform(orUndefined),
  }),
  token: z.string().transform((text) => new Secret(text)),
  renewToken: z.boolean(),
  gateway: GatewayRef.optional().transform(orUndefined),
});

/** What is sealed of an access. */
export const AccessContent = z.discriminatedUnion('kind', [
  DirectAccess,
  z.object({ kind: z.literal('gateway'), gateway: GatewayRef }),
]);

export const ConfigRecord = z.object({
  name: z.string(),
  uid: z.string(),
  version: z.int(),
  accessId: z.string(),
  defaultTtlSeconds: z.number(),
  maxTtlSeconds: z.number(),
  audiences: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
  credential: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('static'),
      namespace: z.string(),
      serviceAccount: z.string(),
      revocable: z.boolean(),
    }),
    z.object({
      kind: z.literal('dynamic'),
      allowedNamespaces: z.array(z.string()),
      role: Role,
      bindingScope: z.enum(['namespace', 'cluster']),
    }),
  ]),
  createTime: z.number(),
  updateTime: z.number(),
});

const uid = z.string().optional();

export const LeaseRecord = z.object({
  id: z.string(),
  version: z.int(),
  purpose: z.enum(['lease', 'trial']),
  principal: z.string(),
  config: z.string(),
  configUid: z.string(),
  accessId: z.string(),
  formerAccessId: z.string().optional(),
  state: z.enum(LEASE_STATES),
  endAs: z.enum(['EXPIRED', 'REVOKED', 'FAILED']).optional(),
  namespace: z.string(),
  serviceAccount: z.string(),
  objects: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('ServiceAccount'), namespace: z.string(), name: z.string(), uid }),
      z.object({ kind: z.literal('Secret'), namespace: z.string(), name: z.string(), uid }),
      z.object({ kind: z.literal('RoleBinding'), namespace: z.string(), name: z.string(), role: Role, uid }),
      z.object({ kind: z.literal('ClusterRoleBinding'), name: z.string(), role: Role, uid }),
    ]),
  ),
  namespaceUid: uid,
  audiences: z.array(z.string()),
  ttlSeconds: z.number(),
  createTime: z.number(),
  issueDeadline: z.number(),
  expireTime: z.number(),
  tokenExpireTime: z.number().optional(),
  hasFurtherTokens: z.boolean().optional(),
  endTime: z.number().optional(),
  settleTime: z.number().optional(),
  tries: z.int().optional(),
  lastError: z.string().optional(),
  nextTryTime: z.number().optional(),
  stalled: z.boolean().optional(),
  forced: z.boolean().optional(),
  requestId: z.string().optional(),
  traceparent: z.string().optional(),
});

export const GatewayRecord = z.object({ name: z.string(), uid: z.string(), createTime: z.number() });

export const IdentityRecord = z.object({
  gateway: z.string(),
  uid: z.string(),
  generation: z.string(),
  publicKey: z.string(),
});

export const LinkRecord = z.object({
  id: z.string(),
  gateway: GatewayRef,
  identityId: z.string(),
  instanceId: z.string(),
  version: z.string(),
  connectTime: z.number(),
  server: z.string(),
});

export const BatchRecord = z.object({
  id: z.string(),
  principal: z.string(),
  target: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('config'), config: z.string() }),
    z.object({ kind: z.literal('principal'), principal: z.string() }),
    z.object({ kind: z.literal('labels'), labels: z.record(z.string(), z.string()) }),
    z.object({ kind: z.literal('all') }),
  ]),
  force: z.boolean().optional(),
  createTime: z.number(),
  endTime: z.number().optional(),
});

export const OutcomeRecord = z.object({
  leaseId: z.string(),
  state: z.enum(LEASE_STATES),
  error: z.string(),
  forced: z.boolean().optional(),
});

/** JSON leaves undefined fields out; the domain wants them named. */
function orUndefined<T>(value: T | undefined): T | undefined {
  return value;
}
