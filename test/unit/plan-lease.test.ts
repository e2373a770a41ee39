import { expect, test } from 'vitest';
import type { Config } from '../../src/shared/domain/config.ts';
import { InvalidArgument } from '../../src/shared/domain/errors.ts';
import { activate } from '../../src/shared/domain/lease.ts';
import { planLease } from '../../src/shared/domain/plan-lease.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { tokenSeconds } from '../../src/shared/domain/ttl.ts';

const NOW = 1_700_000_000_000;
const config: Config = {
  name: 'config',
  uid: 'uid',
  version: 1,
  createTime: 0,
  updateTime: 0,
  defaultTtlSeconds: 900,
  maxTtlSeconds: 3600,
  audiences: [],
  labels: {},
  access: {
    kind: 'direct',
    renewToken: false,
    id: 'access',
    configUid: 'config',
    gateway: undefined,
    url: 'https://cluster',
    token: new Secret('token'),
    tls: { caPem: undefined, insecureSkipVerify: false, serverName: undefined },
  },
  credential: {
    kind: 'dynamic',
    allowedNamespaces: ['one'],
    role: { kind: 'ClusterRole', name: 'view' },
    bindingScope: 'namespace',
  },
};
const birth = {
  id: '01a20baa-6a38-76dd-b5dc-0539adaeadb6',
  now: NOW,
  purpose: 'lease',
  issueTimeoutMs: 60_000,
} as const;
const plan = (ttlSeconds?: number) => planLease(config, { ttlSeconds, audiences: [], principal: 'caller' }, birth);

test('every object is named before any is made', () => {
  const name = `leasehold-${birth.id}`;
  expect(plan()).toMatchObject({
    state: 'PENDING',
    serviceAccount: name,
    expireTime: NOW + 900_000,
    objects: [
      { kind: 'ServiceAccount', namespace: 'one', name },
      { kind: 'RoleBinding', namespace: 'one', name, role: { kind: 'ClusterRole', name: 'view' } },
    ],
  });
  expect(name).toMatch(/^[a-z0-9-]{1,63}$/);
});

test.each([
  [1, 600],
  [599, 600],
  [600, 600],
  [601, 601],
  [3600, 3600],
])('a lease of %i s asks for a token of %i s', (ttl, seconds) => {
  expect(tokenSeconds(plan(ttl).ttlSeconds)).toBe(seconds);
});

test.each([0, 3601])('a lease of %i s is refused', (ttl) => {
  expect(() => plan(ttl)).toThrow(InvalidArgument);
});

test.each([
  ['later than asked: the objects go at the planned time', 60, NOW + 600_000, NOW + 60_000],
  ['sooner than asked: access ends with the token', 3600, NOW + 1_000_000, NOW + 1_000_000],
])('a token that ends %s', (_, ttl, tokenExpireTime, expected) => {
  expect(activate(plan(ttl), { objects: plan(ttl).objects, namespaceUid: undefined, tokenExpireTime })).toMatchObject({
    state: 'ACTIVE',
    version: 2,
    expireTime: expected,
    tokenExpireTime,
  });
});

test('a static lease ends with its token, whenever that is', () => {
  const credential = { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: false } as const;
  const lease = planLease({ ...config, credential }, { audiences: [], principal: 'caller' }, birth);
  expect(lease.objects).toEqual([]);
  expect(activate(lease, { objects: [], namespaceUid: undefined, tokenExpireTime: NOW + 901_000 }).expireTime).toBe(
    NOW + 901_000,
  );
});
