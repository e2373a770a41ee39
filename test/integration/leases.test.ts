import { randomUUID } from 'node:crypto';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BindingScope, RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import type { IssueLeaseResponse } from '../../src/gen/leasehold/v1/lease_service.ts';
import { READ_PODS } from '../support/admin.ts';
import { rejectionOf } from '../support/rejection.ts';
import { createDynamicRequester } from '../support/seed-rbac.ts';
import { type DynamicSetup, type StaticSetup, seconds, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import {
  authenticationStatus,
  claimsOf,
  listPodsStatus,
  listSecretsStatus,
  waitForPodsStatus,
} from '../support/token-use.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let fixed: StaticSetup;
let dynamic: DynamicSetup;
beforeAll(async () => {
  world = await openWorld();
  fixed = await setUpStatic(world, 'static');
  dynamic = await setUpDynamic(world, 'dynamic');
  await world.configs.createConfig({ config: { ...fixed.config, maxTtl: seconds(24 * 3600) } });
  await world.configs.createConfig({ config: dynamic.config });
});
afterAll(() => world.stop());

/** Both messages of an answer, whose fields the server always sets. */
function parts({ lease, credential }: IssueLeaseResponse) {
  if (!lease || !credential) {
    throw new Error('the answer lacks its lease or its credential');
  }
  return { lease, credential };
}

async function issue(request: Parameters<World['leases']['issueLease']>[0]) {
  return parts(await world.leases.issueLease(request));
}

/** Seconds between issue and the end of access. */
function lasts({ lease }: { lease: { createTime?: Date | undefined; expireTime?: Date | undefined } }): number {
  return ((lease.expireTime?.getTime() ?? 0) - (lease.createTime?.getTime() ?? 0)) / 1000;
}

describe('a static lease', () => {
  test("is a token of the config's service account, which may do what that may", async () => {
    const { lease, credential } = await issue({ config: 'static' });

    expect(lease).toMatchObject({
      config: 'static',
      state: LeaseState.LEASE_STATE_ACTIVE,
      namespace: fixed.namespace,
      serviceAccount: fixed.serviceAccount,
      objects: [],
    });
    expect(credential).toMatchObject({
      namespace: fixed.namespace,
      serviceAccount: fixed.serviceAccount,
      ...world.inCredential,
      accessEndTime: lease.expireTime,
      tokenExpireTime: lease.tokenExpireTime,
    });
    expect(claimsOf(credential.token).sub).toBe(`system:serviceaccount:${fixed.namespace}:${fixed.serviceAccount}`);
    await waitForPodsStatus(world.cluster, credential.token, fixed.namespace, 200);
    expect(await listSecretsStatus(world.cluster, credential.token, fixed.namespace)).toBe(403);
  });

  test('ends with its token', async () => {
    const { lease, credential } = await issue({ config: 'static', ttl: seconds(1000) });
    expect(lease.expireTime?.getTime()).toBe(claimsOf(credential.token).exp * 1000);
  });

  test('when revoked tells until when its token stays valid', async () => {
    const { lease, credential } = await issue({ config: 'static' });
    const revoked = await world.leases.revokeLease({ id: lease.id });
    expect(revoked).toMatchObject({
      state: LeaseState.LEASE_STATE_REVOKED,
      tokenExpireTime: credential.tokenExpireTime,
    });
  });
});

describe('a dynamic lease', () => {
  test('is a token of a service account of its own, which may do what the role says', async () => {
    const { lease, credential } = await issue({ config: 'dynamic' });
    const [namespace] = dynamic.namespaces;

    expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE, namespace });
    expect(lease.objects.map(({ kind, name }) => [kind, name])).toEqual([
      ['ServiceAccount', `leasehold-${lease.id}`],
      ['RoleBinding', `leasehold-${lease.id}`],
    ]);
    expect(claimsOf(credential.token).sub).toBe(`system:serviceaccount:${namespace}:leasehold-${lease.id}`);
    await waitForPodsStatus(world.cluster, credential.token, namespace, 200);
    expect(await listSecretsStatus(world.cluster, credential.token, namespace)).toBe(403);
  });

  test('marks its objects so that the cluster can be read back', async () => {
    const { lease } = await issue({ config: 'dynamic' });
    const [object] = lease.objects;
    const account = await world.admin.core.readNamespacedServiceAccount({
      namespace: object?.namespace ?? '',
      name: object?.name ?? '',
    });

    expect(account.metadata?.uid).toBe(object?.uid);
    expect(account.metadata?.labels).toEqual({
      'app.kubernetes.io/managed-by': 'leasehold',
      'leasehold.dev/installation': world.settings.LEASEHOLD_INSTALLATION,
      'leasehold.dev/lease': lease.id,
      'leasehold.dev/config': 'dynamic',
    });
    expect(account.metadata?.annotations).toEqual({
      'leasehold.dev/expires-at': new Date((lease.createTime?.getTime() ?? 0) + 900_000).toISOString(),
    });
  });
});

describe('the ttl', () => {
  test("is the config's default where the caller names none", async () => {
    const issued = await issue({ config: 'dynamic' });
    expect(issued.lease.ttl).toEqual(seconds(900));
    expect(lasts(issued)).toBeCloseTo(900, -0.5);
  });

  test.each(['static', 'dynamic'])('may be the max: %s', async (config) => {
    const issued = await issue({ config, ttl: seconds(3600) });
    expect(lasts(issued)).toBeGreaterThan(3598);
    expect(lasts(issued)).toBeLessThan(3602);
  });

  test('may not be above the max', async () => {
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'dynamic', ttl: seconds(3601) }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['ttl'] });
    expect(rejection.message).toContain('3600');
  });

  test.each(['static', 'dynamic'])('may be ten minutes exactly: %s', async (config) => {
    const issued = await issue({ config, ttl: seconds(600) });
    expect(claimsOf(issued.credential.token).exp - claimsOf(issued.credential.token).iat).toBe(600);
    expect(lasts(issued)).toBeGreaterThan(598);
    expect(lasts(issued)).toBeLessThan(602);
  });

  test('of a dynamic lease may be less than ten minutes', async () => {
    const issued = await issue({ config: 'dynamic', ttl: seconds(60) });
    expect(lasts(issued)).toBe(60);
    expect(claimsOf(issued.credential.token).exp - claimsOf(issued.credential.token).iat).toBe(600);
    expect(issued.credential.accessEndTime).toEqual(issued.lease.expireTime);
    expect(issued.credential.tokenExpireTime?.getTime()).toBeGreaterThan(issued.lease.expireTime?.getTime() ?? 0);
  });

  test('of a static lease may not: nothing could end its token in time', async () => {
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'static', ttl: seconds(599) }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['ttl'] });
    expect(rejection.message).toContain('600');
  });

  test('follows the cluster where it gives less than was asked', async () => {
    const issued = await issue({ config: 'static', ttl: seconds(24 * 3600) });
    expect(issued.lease.expireTime?.getTime()).toBe(claimsOf(issued.credential.token).exp * 1000);
    expect(lasts(issued)).toBeLessThan((world.maxTokenSeconds ?? 24 * 3600) + 2);
  });
});

describe('the namespace', () => {
  let many: DynamicSetup;
  beforeAll(async () => {
    many = await setUpDynamic(world, 'many', { namespaces: 2 });
    await world.configs.createConfig({ config: many.config });
  });

  test('may be any that is allowed', async () => {
    for (const namespace of many.namespaces) {
      const { lease, credential } = await issue({ config: 'many', namespace });
      expect(lease.namespace).toBe(namespace);
      await waitForPodsStatus(world.cluster, credential.token, namespace, 200);
    }
  });

  test('may not be another, and the error lists those that are', async () => {
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'many', namespace: 'kube-system' }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['namespace'] });
    expect(rejection.message).toContain(many.namespaces.join(', '));
  });

  test('must be given where several are allowed', async () => {
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'many' }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['namespace'] });
    expect(rejection.message).toContain(many.namespaces.join(', '));
  });

  test("of a static lease is the config's", async () => {
    expect((await issue({ config: 'static', namespace: fixed.namespace })).lease.namespace).toBe(fixed.namespace);
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'static', namespace: 'default' }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['namespace'] });
  });
});

describe('the role', () => {
  test('may be a Role of the namespace', async () => {
    const namespace = await world.admin.createNamespace();
    const role = await world.admin.createRole(namespace, [READ_PODS]);
    const requester = await createDynamicRequester(world.admin, namespace, { role, namespaces: [namespace] });
    await world.configs.createConfig({
      config: {
        ...dynamic.config,
        name: 'role',
        access: await world.accessOf(requester),
        credential: {
          $case: 'dynamic',
          value: { allowedNamespaces: [namespace], role: { kind: RoleKind.ROLE_KIND_ROLE, name: role } },
        },
      },
    });
    const { credential } = await issue({ config: 'role' });
    await waitForPodsStatus(world.cluster, credential.token, namespace, 200);
    expect(await listSecretsStatus(world.cluster, credential.token, namespace)).toBe(403);
  });

  test("that is a ClusterRole counts in the lease's namespace only", async () => {
    const { credential } = await issue({ config: 'dynamic' });
    await waitForPodsStatus(world.cluster, credential.token, dynamic.namespaces[0], 200);
    expect(await listPodsStatus(world.cluster, credential.token, 'default')).toBe(403);
  });

  test('that is a ClusterRole counts everywhere where the config says so, until the lease ends', async () => {
    const wide = await setUpDynamic(world, 'wide', { bindingScope: BindingScope.BINDING_SCOPE_CLUSTER });
    await world.configs.createConfig({ config: wide.config });
    const { lease, credential } = await issue({ config: 'wide' });
    expect(lease.objects.map(({ kind }) => kind)).toEqual(['ServiceAccount', 'ClusterRoleBinding']);
    await waitForPodsStatus(world.cluster, credential.token, 'default', 200);
    await world.leases.revokeLease({ id: lease.id });
    await waitForPodsStatus(world.cluster, credential.token, 'default', 401, 403);
  });
});

describe('audiences', () => {
  beforeAll(async () => {
    await world.configs.createConfig({
      config: { ...dynamic.config, name: 'audiences', audiences: ['vault', 'registry'] },
    });
  });

  test("are the config's, in the token", async () => {
    const { credential } = await issue({ config: 'audiences' });
    expect(claimsOf(credential.token).aud).toEqual(['vault', 'registry']);
  });

  test('may be some of them', async () => {
    const { lease, credential } = await issue({ config: 'audiences', audiences: ['registry'] });
    expect(claimsOf(credential.token).aud).toEqual(['registry']);
    expect(lease.audiences).toEqual(['registry']);
  });

  test('may not be others', async () => {
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'audiences', audiences: ['bank'] }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['audiences'] });
    expect(rejection.message).toContain('vault, registry');
  });
});

describe('a repeated request_id', () => {
  test('gets the same lease with a fresh token', async () => {
    const requestId = randomUUID();
    const first = await issue({ config: 'dynamic', requestId });
    const second = await issue({ config: 'dynamic', requestId });

    expect(second.lease.id).toBe(first.lease.id);
    expect(second.lease.expireTime).toEqual(first.lease.expireTime);
    expect(await authenticationStatus(world.cluster, second.credential.token)).toBe(201);
    expect(
      (await world.leases.listLeases({ config: 'dynamic' })).leases.filter(({ id }) => id === first.lease.id),
    ).toHaveLength(1);
  });

  test('with another body is refused', async () => {
    const requestId = randomUUID();
    await issue({ config: 'dynamic', requestId });
    const rejection = await rejectionOf(world.leases.issueLease({ config: 'dynamic', requestId, ttl: seconds(60) }));
    expect(rejection).toMatchObject({ code: Status.ALREADY_EXISTS, reason: 'REQUEST_ID_REUSED' });
  });

  test('makes one lease of calls that run at the same time', async () => {
    const requestId = randomUUID();
    const calls = Array.from({ length: 5 }, () => world.leases.issueLease({ config: 'dynamic', requestId }));
    const outcomes = await Promise.allSettled(calls);
    const ids = new Set(
      outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.lease?.id] : [])),
    );

    expect(ids.size).toBe(1);
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(failures.every((code) => code === Status.ABORTED)).toBe(true);
  });
});

describe('a list of leases', () => {
  test('is in pages, newest first, of one config and state', async () => {
    await world.configs.createConfig({ config: { ...dynamic.config, name: 'listed' } });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await issue({ config: 'listed' })).lease.id);
    }
    const revoked = ids[2] ?? '';
    await world.leases.revokeLease({ id: revoked });

    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await world.leases.listLeases({ config: 'listed', pageSize: 2, pageToken });
      seen.push(...page.leases.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual(ids);

    const active = await world.leases.listLeases({ config: 'listed', states: [LeaseState.LEASE_STATE_ACTIVE] });
    expect(active.leases.map(({ id }) => id)).toEqual(ids.filter((id) => id !== revoked));
    const ended = await world.leases.listLeases({ config: 'listed', states: [LeaseState.LEASE_STATE_REVOKED] });
    expect(ended.leases.map(({ id }) => id)).toEqual([revoked]);
    expect(await world.leases.getLease({ id: revoked })).toEqual(ended.leases[0]);
  });

  test('refuses the page token of another list', async () => {
    const { nextPageToken } = await world.leases.listLeases({ config: 'listed', pageSize: 1 });
    const rejection = await rejectionOf(world.leases.listLeases({ config: 'dynamic', pageToken: nextPageToken }));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['page_token'] });
  });
});

test('an error of the cluster in the middle leaves nothing behind', async () => {
  const lost = await setUpDynamic(world, 'lost-role');
  await world.configs.createConfig({ config: lost.config });
  await world.admin.rbac.deleteClusterRole({ name: lost.role });
  const rejection = await rejectionOf(world.leases.issueLease({ config: 'lost-role' }));

  expect(rejection.metadata).toMatchObject({ verb: 'create', resource: 'rolebindings', namespace: lost.namespaces[0] });
  const { items } = await world.admin.core.listNamespacedServiceAccount({ namespace: lost.namespaces[0] });
  expect(items.map(({ metadata }) => metadata?.name).filter((name) => name?.startsWith('leasehold-'))).toEqual([]);
  const [lease] = (await world.leases.listLeases({ config: 'lost-role' })).leases;
  expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_FAILED });
  expect(lease?.endTime).toBeDefined();
});
