import { randomBytes, randomUUID } from 'node:crypto';
import type { V1PolicyRule } from '@kubernetes/client-node';
import { Redis } from 'ioredis';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Config } from '../../../src/gen/leasehold/v1/config.ts';
import { RoleKind } from '../../../src/gen/leasehold/v1/config.ts';
import { Keys } from '../../../src/shared/redis/keys.ts';
import { knownSecret } from '../../evidence/known-secret.ts';
import { type Account, READ_PODS } from '../../support/admin.ts';
import { denyingWebhook, removeNamespace, terminateNamespace, useUpQuota } from '../../support/cluster-moods.ts';
import { eventually } from '../../support/eventually.ts';
import { otherCa } from '../../support/other-ca.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  type AccountWithToken,
  createDynamicRequester,
  createRequester,
  REVOCABLE_RULES,
  STATIC_RULES,
} from '../../support/seed-rbac.ts';
import {
  type ConfigFields,
  type DynamicSetup,
  directAccess,
  seconds,
  setUpDynamic,
  setUpStatic,
} from '../../support/set-ups.ts';
import { authenticationStatus } from '../../support/token-use.ts';
import { openWorld, type World } from '../../support/world.ts';

// A cluster token is replaced while the cluster refuses creations: the token is proven, not the creation.

let world: World;
let redis: Redis;
const cleanUps: (() => Promise<void>)[] = [];
beforeAll(async () => {
  world = await openWorld();
  redis = new Redis(world.redisUrl);
});
afterAll(async () => {
  await Promise.all(cleanUps.map((cleanUp) => cleanUp()));
  redis.disconnect();
  await world.stop();
});

let count = 0;
const freshName = () => `rotated-${++count}`;

function rotate(name: string, token: string): Promise<Config> {
  const config = { name, access: directAccess(world.cluster, token) };
  return world.configs.updateConfig({ config, updateMask: ['direct.token'] });
}

async function issue(config: string, namespace: string): Promise<string> {
  const { lease } = await world.leases.issueLease({ config, namespace });
  return lease?.id ?? '';
}

async function expectTakenDown(id: string): Promise<void> {
  const { endTime } = await world.leases.revokeLease({ id });
  expect(endTime).toBeDefined();
}

/** Another account that may do the same, elsewhere. */
async function successorOf({ role }: DynamicSetup): Promise<AccountWithToken> {
  return createDynamicRequester(world.admin, await world.admin.createNamespace(), { clusterRole: role });
}

/** Quotas and webhooks come to be heeded a moment later: until then, two tokens replace each other. */
async function rotateUntilWarned(name: string, tokens: readonly [string, string], warning: RegExp): Promise<void> {
  let attempt = 0;
  await eventually(async () => {
    const { warnings } = await rotate(name, tokens[attempt++ % 2 === 0 ? 0 : 1]);
    expect(warnings.join('\n')).toMatch(warning);
  });
}

const accounts = (resources: string[]) => [{ operations: ['CREATE'], apiGroups: ['*'], apiVersions: ['*'], resources }];

const DYNAMIC_MOODS: { mood: string; warning: RegExp; set: (setup: DynamicSetup) => Promise<unknown> }[] = [
  {
    mood: 'the quota of service accounts is used up',
    warning: /create a ServiceAccount in namespace "test-.*exceeded quota: used-up/,
    set: ({ namespaces: [namespace] }) => useUpQuota(world.admin, namespace, 'serviceaccounts'),
  },
  {
    mood: 'the quota of bindings is used up',
    warning: /create a RoleBinding .*exceeded quota: used-up/,
    set: ({ namespaces: [namespace] }) => useUpQuota(world.admin, namespace, 'rolebindings.rbac.authorization.k8s.io'),
  },
  {
    mood: 'a webhook denies accounts',
    warning: /create a ServiceAccount .*not on a Friday/,
    async set({ namespaces: [namespace] }) {
      cleanUps.push((await denyingWebhook(world.admin, namespace, accounts(['serviceaccounts']))).stop);
    },
  },
  {
    mood: 'a webhook for bindings is down',
    warning: /rolebindings .*failed calling webhook/,
    async set({ namespaces: [namespace] }) {
      const webhook = denyingWebhook(world.admin, namespace, accounts(['rolebindings']), { isDown: true });
      cleanUps.push((await webhook).stop);
    },
  },
  {
    mood: 'the namespace terminates',
    warning: /being terminated/,
    set: ({ namespaces: [namespace] }) => terminateNamespace(world.admin, namespace),
  },
  {
    mood: 'the namespace is gone',
    warning: /namespaces "test-.*" not found/,
    set: ({ namespaces: [namespace] }) => removeNamespace(world.admin, namespace),
  },
  {
    mood: 'the role is gone',
    warning: /ClusterRole "test-.*": it .*|clusterroles.* not found/,
    set: ({ role }) => world.admin.rbac.deleteClusterRole({ name: role }),
  },
];

test.each(DYNAMIC_MOODS)('while $mood, and its lease is taken down', async ({ set, warning }) => {
  const name = freshName();
  const setup = await setUpDynamic(world, name);
  await world.configs.createConfig({ config: setup.config });
  const id = await issue(name, setup.namespaces[0]);
  const tokens = [(await successorOf(setup)).token, (await successorOf(setup)).token] as const;
  await set(setup);
  await rotateUntilWarned(name, tokens, warning);
  // The account of before may have gone with its namespace; now it may nothing in any case.
  await world.admin.rbac.deleteClusterRole({ name: setup.requester.clusterRole });
  await expectTakenDown(id);
  expect((await world.configs.getConfig({ name })).warnings).toEqual([]);
  await world.configs.deleteConfig({ name });
});

const STATIC_MOODS: {
  mood: string;
  revocable?: boolean;
  warning: RegExp;
  set: (setup: { namespace: string; serviceAccount: string }) => Promise<unknown>;
}[] = [
  {
    mood: 'a webhook denies tokens',
    warning: /create serviceaccounts\/token "reader".*not on a Friday/,
    async set({ namespace }) {
      cleanUps.push((await denyingWebhook(world.admin, namespace, accounts(['serviceaccounts/token']))).stop);
    },
  },
  {
    mood: 'the service account is gone',
    warning: /ServiceAccount "reader" in namespace "test-.*": it does not exist/,
    set: ({ namespace, serviceAccount: name }) => world.admin.core.deleteNamespacedServiceAccount({ namespace, name }),
  },
  {
    mood: 'the quota of Secrets is used up',
    revocable: true,
    warning: /create a Secret .*exceeded quota/,
    set: ({ namespace }) => useUpQuota(world.admin, namespace, 'secrets'),
  },
];

test.each(STATIC_MOODS)('of a static credential, while $mood', async ({ set, warning, revocable = false }) => {
  const name = freshName();
  const setup = await setUpStatic(world, name, { revocable });
  await world.configs.createConfig({ config: setup.config });
  const successor = () => createRequester(world.admin, setup.namespace, [...STATIC_RULES, ...REVOCABLE_RULES]);
  const tokens = [(await successor()).token, (await successor()).token] as const;
  await set(setup);
  await rotateUntilWarned(name, tokens, warning);
});

const RBAC = 'rbac.authorization.k8s.io';

/** What `deploy/rbac/dynamic.yaml` grants in a namespace. */
async function grantIn(namespace: string, account: Account, role: string): Promise<void> {
  const rules: V1PolicyRule[] = [
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create', 'delete'] },
    { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
    { apiGroups: [RBAC], resources: ['rolebindings'], verbs: ['create', 'delete'] },
    { apiGroups: [RBAC], resources: ['clusterroles'], resourceNames: [role], verbs: ['bind'] },
  ];
  await world.admin.bindRole(namespace, await world.admin.createRole(namespace, rules), account);
  await world.admin.waitUntilMay(account, { namespace, verb: 'delete', group: RBAC, resource: 'rolebindings' });
}

/** A config whose account has a Role in each of its namespaces, and nothing beyond. */
async function setUpByNamespace(namespaceCount: number) {
  const { admin } = world;
  const home = await admin.createNamespace('home');
  const account = await admin.createServiceAccount(home, 'leasehold');
  const role = await admin.createClusterRole([READ_PODS]);
  const namespaces = await Promise.all(Array.from({ length: namespaceCount }, () => admin.createNamespace()));
  await Promise.all(namespaces.map((namespace) => grantIn(namespace, account, role)));
  const name = freshName();
  const dynamic = { allowedNamespaces: namespaces, role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role } };
  const token = await admin.mintToken(account);
  const config = {
    name,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    access: directAccess(world.cluster, token),
    credential: { $case: 'dynamic', value: dynamic },
  } satisfies ConfigFields;
  await world.configs.createConfig({ config });
  return { name, token, account, namespaces, role, home };
}

/** A fresh token of the account, which is made anew: every token of before is dead. */
async function remake(account: Account): Promise<string> {
  await world.admin.core.deleteNamespacedServiceAccount(account);
  await world.admin.createServiceAccount(account.namespace, account.name);
  return world.admin.mintToken(account);
}

async function untilDead(token: string): Promise<void> {
  await eventually(async () => expect(await authenticationStatus(world.cluster, token)).toBe(401));
}

describe('a namespace that is gone with its Role', () => {
  test.each([
    ['the only one', 1],
    ['one of several', 3],
  ])('%s: a fresh token of the same account, while the one before is dead', async (_, namespaceCount) => {
    const { name, token: before, account, namespaces } = await setUpByNamespace(namespaceCount);
    const [gone = '', ...others] = namespaces;
    await removeNamespace(world.admin, gone);
    const token = await remake(account);
    await untilDead(before);
    const { warnings } = await eventually(() => rotate(name, token));
    expect(warnings.join('\n')).toContain(`may do nothing in "${gone}"`);
    for (const namespace of others) {
      await expectTakenDown(await issue(name, namespace));
    }
  });

  test('another account that holds all in the other namespaces', async () => {
    const { name, token: before, account, namespaces, role, home } = await setUpByNamespace(2);
    const [gone = '', kept = ''] = namespaces;
    await removeNamespace(world.admin, gone);
    const successor = await world.admin.createServiceAccount(home, 'successor');
    await grantIn(kept, successor, role);
    await world.admin.core.deleteNamespacedServiceAccount(account);
    await untilDead(before);
    const { warnings } = await rotate(name, await world.admin.mintToken(successor));
    expect(warnings.join('\n')).toContain(`may do nothing in "${gone}"`);
    await expectTakenDown(await issue(name, kept));
  });
});

describe('a token is refused', () => {
  async function bareAccount(): Promise<Account> {
    return world.admin.createServiceAccount(await world.admin.createNamespace(), 'bare');
  }

  test('that is not let in', async () => {
    const { name } = await setUpByNamespace(1);
    expect(await rejectionOf(rotate(name, 'eyJhbGciOiJub25lIn0.e30.x'))).toMatchObject({
      code: Status.FAILED_PRECONDITION,
      reason: 'CLUSTER_UNAUTHENTICATED',
    });
  });

  test('of another account, by name of what it lacks, whether the one before works or is dead', async () => {
    const { name, token: before, account, namespaces } = await setUpByNamespace(1);
    const token = await world.admin.mintToken(await bareAccount());
    const lacking = {
      code: Status.FAILED_PRECONDITION,
      reason: 'CLUSTER_FORBIDDEN',
      message: expect.stringContaining('cannot delete resource "serviceaccounts"'),
      metadata: { verb: 'delete', resource: 'serviceaccounts', namespace: namespaces[0] },
    };
    expect(await rejectionOf(rotate(name, token))).toMatchObject(lacking);
    await world.admin.core.deleteNamespacedServiceAccount(account);
    await untilDead(before);
    expect(await rejectionOf(rotate(name, token))).toMatchObject(lacking);
  });

  test('of another account that has rights in one of two namespaces', async () => {
    const { name, namespaces, role } = await setUpByNamespace(2);
    const [one = '', other] = namespaces;
    const account = await bareAccount();
    await grantIn(one, account, role);
    expect(await rejectionOf(rotate(name, await world.admin.mintToken(account)))).toMatchObject({
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { verb: 'delete', namespace: other },
    });
  });

  test('that may create but not delete, while the quota is used up', async () => {
    const { name, namespaces } = await setUpByNamespace(1);
    const [namespace = ''] = namespaces;
    const account = await bareAccount();
    const rules = [{ apiGroups: ['', RBAC], resources: ['*'], verbs: ['create', 'bind'] }];
    await world.admin.bindRole(namespace, await world.admin.createRole(namespace, rules), account);
    await world.admin.waitUntilMay(account, { namespace, verb: 'create', resource: 'serviceaccounts' });
    await useUpQuota(world.admin, namespace, 'serviceaccounts');
    expect(await rejectionOf(rotate(name, await world.admin.mintToken(account)))).toMatchObject({
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { verb: 'delete', resource: 'serviceaccounts' },
    });
  });

  test('that may not hand out the role', async () => {
    const { name, namespaces } = await setUpByNamespace(1);
    const [namespace = ''] = namespaces;
    const account = await bareAccount();
    await grantIn(namespace, account, 'another-role');
    expect(await rejectionOf(rotate(name, await world.admin.mintToken(account)))).toMatchObject({
      reason: 'CLUSTER_ROLE_NOT_GRANTABLE',
      message: expect.stringContaining('attempting to grant RBAC permissions not currently held'),
    });
  });

  test('of a static credential that may not mint', async () => {
    const name = freshName();
    const setup = await setUpStatic(world, name);
    await world.configs.createConfig({ config: setup.config });
    expect(await rejectionOf(rotate(name, await world.admin.mintToken(await bareAccount())))).toMatchObject({
      reason: 'CLUSTER_FORBIDDEN',
      message: expect.stringContaining('serviceaccounts/token'),
    });
  });

  test('where it is to renew itself and may not', async () => {
    const { name, account, namespaces } = await setUpByNamespace(1);
    const [namespace = ''] = namespaces;
    const access = { $case: 'direct', value: { url: world.cluster.url, renewToken: true } } as const;
    const change = { name, access };
    const switchOn = () => world.configs.updateConfig({ config: change, updateMask: ['direct.renew_token'] });
    expect(await rejectionOf(switchOn())).toMatchObject({
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { resource: 'serviceaccounts/token' },
    });
    await useUpQuota(world.admin, namespace, 'serviceaccounts');
    const rules = [{ apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] }];
    await world.admin.bindRole(account.namespace, await world.admin.createRole(account.namespace, rules), account);
    const may = { namespace: account.namespace, verb: 'create', resource: 'serviceaccounts', subresource: 'token' };
    await world.admin.waitUntilMay(account, may);
    expect(await switchOn()).toMatchObject({ access: { value: { renewToken: true } } });
  });
});

describe('what else changes without a creation, while the quota is used up', () => {
  const CHANGES: { change: string; mask: string[]; config: (setup: DynamicSetup) => ConfigFields }[] = [
    { change: 'labels', mask: ['labels'], config: () => ({ labels: { team: 'payments' } }) },
    { change: 'the longest life', mask: ['max_ttl'], config: () => ({ maxTtl: seconds(4000) }) },
    {
      change: 'the CAs',
      mask: ['direct'],
      config: ({ requester }) => ({
        access: directAccess({ ...world.cluster, caPem: `${world.cluster.caPem.trim()}\n${otherCa}` }, requester.token),
      }),
    },
    {
      change: 'the namespaces, to fewer',
      mask: ['dynamic'],
      config: ({ role, namespaces }) => ({
        credential: {
          $case: 'dynamic',
          value: {
            allowedNamespaces: namespaces.slice(0, 1),
            role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role },
          },
        },
      }),
    },
    {
      change: 'the namespaces, to another one beside it that has room',
      mask: ['dynamic'],
      config: ({ role, namespaces: [full, other = ''] }) => ({
        credential: {
          $case: 'dynamic',
          value: {
            allowedNamespaces: [other, full],
            role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role },
          },
        },
      }),
    },
  ];

  test.each(CHANGES)('$change', async ({ mask, config }) => {
    const name = freshName();
    const setup = await setUpDynamic(world, name, { namespaces: 2 });
    await world.configs.createConfig({ config: setup.config });
    await useUpQuota(world.admin, setup.namespaces[0], 'serviceaccounts');
    const before = await world.configs.getConfig({ name });
    const updated = await world.configs.updateConfig({ config: { name, ...config(setup) }, updateMask: mask });
    expect(updated.etag).not.toBe(before.etag);
  });

  test('but not the role, which is tried', async () => {
    const name = freshName();
    const setup = await setUpDynamic(world, name);
    await world.configs.createConfig({ config: setup.config });
    await useUpQuota(world.admin, setup.namespaces[0], 'serviceaccounts');
    const role = await world.admin.createClusterRole([READ_PODS]);
    const value = { allowedNamespaces: setup.namespaces, role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: role } };
    const change = { name, credential: { $case: 'dynamic', value } } as const;
    await eventually(async () => {
      const rejection = await rejectionOf(world.configs.updateConfig({ config: change, updateMask: ['dynamic'] }));
      expect(rejection.message).toContain('exceeded quota');
    });
  });
});

test('a damaged access is repaired while the quota is used up, and its lease is taken down', async () => {
  const installation = `test-${randomUUID().slice(0, 8)}`;
  const environment = {
    LEASEHOLD_INSTALLATION: installation,
    LEASEHOLD_SEAL_KEY: knownSecret(randomBytes(32).toString('base64')),
  };
  const name = freshName();
  const setup = await setUpDynamic(world, name);
  const before = await openWorld(environment);
  await before.configs.createConfig({ config: setup.config });
  const id = (await before.leases.issueLease({ config: name })).lease?.id ?? '';
  await before.stop();
  await useUpQuota(world.admin, setup.namespaces[0], 'serviceaccounts');
  const keys = new Keys(installation);
  const record = JSON.parse((await redis.hget(keys.config(name), 'data')) ?? '{}');
  await redis.hset(keys.access(record.accessId), 'data', 'damaged');

  const after = await openWorld(environment);
  try {
    expect((await after.configs.getConfig({ name })).problem).not.toBe('');
    const config = { name, access: directAccess(world.cluster, setup.requester.token) };
    const repaired = await after.configs.updateConfig({ config, updateMask: ['direct'] });
    expect(repaired.problem).toBe('');
    expect(repaired.warnings.join('\n')).toContain('exceeded quota');
    expect((await after.leases.revokeLease({ id })).endTime).toBeDefined();
  } finally {
    await after.stop();
  }
});

test('a lease that waits for its next try is taken down at once by the new token', async () => {
  const slow = await openWorld({ LEASEHOLD_RETRY_INITIAL: '3000', LEASEHOLD_RETRY_MAX: '3000' });
  try {
    const name = `waits-${randomUUID().slice(0, 8)}`;
    const setup = await setUpDynamic(slow, name);
    await slow.configs.createConfig({ config: setup.config });
    const id = (await slow.leases.issueLease({ config: name })).lease?.id ?? '';
    const successor = await successorOf(setup);
    await slow.admin.core.deleteNamespacedServiceAccount(setup.requester.account);
    await untilDead(setup.requester.token);
    await rejectionOf(slow.leases.revokeLease({ id }));
    await useUpQuota(slow.admin, setup.namespaces[0], 'serviceaccounts');
    await slow.configs.updateConfig({
      config: { name, access: directAccess(slow.cluster, successor.token) },
      updateMask: ['direct.token'],
    });
    await eventually(async () => expect((await slow.leases.getLease({ id })).endTime).toBeDefined());
  } finally {
    await slow.stop();
  }
});

test('a static token of the account in use is replaced by one that may do the same', async () => {
  const name = freshName();
  const setup = await setUpStatic(world, name);
  await world.configs.createConfig({ config: setup.config });
  const successor = await createRequester(world.admin, setup.namespace, STATIC_RULES);
  expect((await rotate(name, successor.token)).warnings).toEqual([]);
});
