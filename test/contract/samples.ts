import { v7 as uuidv7 } from 'uuid';
import type { Config, DirectAccess } from '../../src/shared/domain/config.ts';
import { activate, beginRevoking, type EndedState, end, type Lease } from '../../src/shared/domain/lease.ts';
import { planLease } from '../../src/shared/domain/plan-lease.ts';
import { Secret } from '../../src/shared/domain/secret.ts';

/** When the samples begin: leases of the contract are older than any that is forgotten in between. */
export const START = Date.now();

type StraightConfig = Config & { access: DirectAccess };

export function sampleConfig(name: string): StraightConfig;
export function sampleConfig(name: string, changes: Partial<Config>): Config;
export function sampleConfig(name: string, changes: Partial<Config> = {}): Config {
  const uid = changes.uid ?? uuidv7();
  return {
    name,
    uid,
    version: 1,
    createTime: START,
    updateTime: START,
    defaultTtlSeconds: 900,
    maxTtlSeconds: 3600,
    audiences: [],
    labels: { team: 'blue' },
    access: {
      kind: 'direct',
      renewToken: false,
      id: uuidv7(),
      configUid: uid,
      gateway: undefined,
      url: 'https://cluster.test',
      tls: { caPem: undefined, insecureSkipVerify: false, serverName: undefined },
      token: new Secret(`cluster-token-of-${name}`),
    },
    credential: {
      kind: 'dynamic',
      allowedNamespaces: ['one'],
      role: { kind: 'ClusterRole', name: 'view' },
      bindingScope: 'namespace',
    },
    ...changes,
  };
}

/** A PENDING lease on `config`. */
export function sampleLease(config: Config, changes: Partial<Lease> = {}): Lease {
  const planned = planLease(
    config,
    { audiences: [], principal: 'caller' },
    { id: uuidv7(), now: START, purpose: 'lease', issueTimeoutMs: 60_000 },
  );
  return { ...planned, ...changes };
}

export function active(lease: Lease, expireTime = lease.expireTime): Lease {
  const objects = lease.objects.map((object, index) => ({ ...object, uid: `uid-${index}` }));
  return activate(
    { ...lease, expireTime },
    { objects, namespaceUid: 'uid-of-namespace', tokenExpireTime: START + 7_200_000 },
  );
}

export function revoking(lease: Lease, endAs: EndedState = 'REVOKED', nextTryTime = START): Lease {
  return beginRevoking(lease, endAs, { nextTryTime });
}

/** REVOKING -> its end. */
export function ended(lease: Lease, endTime = START): Lease {
  return end({ ...lease, endAs: lease.endAs ?? 'REVOKED' }, endTime);
}
