import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BindingScope } from '../../../src/gen/leasehold/v1/config.ts';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../../support/eventually.ts';
import { rejectionOf } from '../../support/rejection.ts';
import type { Requester } from '../../support/seed-rbac.ts';
import { type ConfigFields, directAccess, setUpDynamic, setUpStatic } from '../../support/set-ups.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { openWorld, type World } from '../../support/world.ts';

// Issues that fail before anything was made leave nothing behind: no live lease, no quota used, no request_id taken.

/** The API server remembers for 10 s that a token was good. */
const PATIENTLY = { withinMs: 40_000 };

const CALLS = 10;
/** Fewer than the calls: each that stayed would be missed. */
const QUOTA = 6;

let world: World;
const proxies: TcpProxy[] = [];
beforeAll(async () => {
  world = await openWorld({
    LEASEHOLD_MAX_LEASES_PER_CONFIG: String(QUOTA),
    LEASEHOLD_MAX_LEASES_PER_PRINCIPAL: String(QUOTA),
    LEASEHOLD_SETTLE_TIME: '1',
  });
});
afterAll(async () => {
  await world.stop();
  for (const proxy of proxies) {
    proxy.stop();
  }
});

interface SetUp {
  config: ConfigFields & { name: string };
  requester: Requester;
}

const KINDS: Record<string, (name: string) => Promise<SetUp>> = {
  dynamic: (name) => setUpDynamic(world, name),
  'cluster-wide': (name) => setUpDynamic(world, name, { bindingScope: BindingScope.BINDING_SCOPE_CLUSTER }),
  revocable: (name) => setUpStatic(world, name, { revocable: true }),
};

/** What happens to a config after it was created, and how that is mended. */
type Trouble = (setup: SetUp, proxy: TcpProxy) => Promise<() => Promise<void>>;

/** Its token is dead until it gets another. */
const tokenIsDead: Trouble = async ({ config, requester }, proxy) => {
  const { namespace, name } = requester.account;
  await world.admin.core.deleteNamespacedServiceAccount({ namespace, name });
  await eventually(async () => {
    const { status } = await world.admin.authentication.createTokenReview({
      body: { spec: { token: requester.token } },
    });
    expect(status?.authenticated ?? false).toBe(false);
  }, PATIENTLY);
  return async () => {
    await world.admin.createServiceAccount(namespace, name);
    const token = await world.admin.mintToken(requester.account);
    const { etag } = await world.configs.getConfig({ name: config.name });
    await world.configs.updateConfig({
      config: { ...config, access: through(proxy, token), etag },
      updateMask: ['direct.token'],
    });
  };
};

const mayDoNothing: Trouble = async ({ requester }) => {
  const role = await world.admin.rbac.readClusterRole({ name: requester.clusterRole });
  const setRules = async (rules: typeof role.rules, may: boolean) => {
    const current = await world.admin.rbac.readClusterRole({ name: requester.clusterRole });
    await world.admin.rbac.replaceClusterRole({
      name: requester.clusterRole,
      body: { ...current, rules: rules ?? [] },
    });
    await world.admin.waitUntilMay(
      requester.account,
      { verb: 'create', resource: 'serviceaccounts', subresource: 'token' },
      may,
    );
  };
  await setRules([], false);
  return () => setRules(role.rules, true);
};

function through({ port }: TcpProxy, token: string) {
  return directAccess({ url: `https://127.0.0.1:${port}`, caPem: world.cluster.caPem }, token);
}

async function setUp(kind: string): Promise<{ setup: SetUp; proxy: TcpProxy }> {
  const setup = await KINDS[kind]?.(`failing-${randomUUID().slice(0, 8)}`);
  if (!setup) {
    throw new Error(`no set-up of kind ${kind}`);
  }
  const proxy = await startTcpProxy({ hostname: '127.0.0.1', port: Number(new URL(world.cluster.url).port) });
  proxies.push(proxy);
  const config = { ...setup.config, access: through(proxy, setup.requester.token) };
  await world.configs.createConfig({ config });
  return { setup: { ...setup, config }, proxy };
}

async function statesOf(config: string): Promise<LeaseState[]> {
  const { leases } = await world.leases.listLeases({ config });
  return leases.map(({ state }) => state);
}

describe.each(Object.keys(KINDS))('%s', (kind) => {
  test.each([
    ['its token is dead', tokenIsDead, 'CLUSTER_UNAUTHENTICATED'],
    ['its token may do nothing', mayDoNothing, 'CLUSTER_FORBIDDEN'],
  ])('%s', async (_, trouble, reason) => {
    const { setup, proxy } = await setUp(kind);
    const { name } = setup.config;
    const mend = await trouble(setup, proxy);
    const requestId = randomUUID();
    for (let call = 0; call < CALLS; call++) {
      const rejection = await rejectionOf(world.leases.issueLease({ config: name, requestId }));
      expect(rejection.reason).toBe(reason);
    }
    expect(await statesOf(name)).toEqual(Array(CALLS).fill(LeaseState.LEASE_STATE_FAILED));

    await mend();
    const { lease } = await eventually(() => world.leases.issueLease({ config: name, requestId }));
    expect(lease?.state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    await world.leases.revokeLease({ id: lease?.id ?? '' });
    const { etag } = await world.configs.getConfig({ name });
    await world.configs.deleteConfig({ name, etag });
  });

  test('its cluster was never reached', async () => {
    const { setup, proxy } = await setUp(kind);
    const { name } = setup.config;
    proxy.stop();
    // Notices on whatever connection it had that it is gone.
    await rejectionOf(world.configs.checkConfig({ target: { $case: 'name', value: name } }));
    for (let call = 0; call < CALLS; call++) {
      expect((await rejectionOf(world.leases.issueLease({ config: name }))).reason).toMatch(/^CLUSTER_UN/);
    }
    expect(await statesOf(name)).toEqual(Array(CALLS).fill(LeaseState.LEASE_STATE_FAILED));
    const { etag } = await world.configs.getConfig({ name });
    await world.configs.deleteConfig({ name, etag, revokeLeases: true });
  });
});

test('where the binding is refused, only the account has to go, and goes', async () => {
  const { setup } = await setUp('dynamic');
  const { name } = setup.config;
  const role = await world.admin.rbac.readClusterRole({ name: setup.requester.clusterRole });
  const rules = (role.rules ?? []).filter(({ resources }) => !resources?.includes('rolebindings'));
  await world.admin.rbac.replaceClusterRole({ name: setup.requester.clusterRole, body: { ...role, rules } });
  await world.admin.waitUntilMay(
    setup.requester.account,
    { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
    false,
  );
  expect(await rejectionOf(world.leases.issueLease({ config: name }))).toMatchObject({ reason: 'CLUSTER_FORBIDDEN' });
  const { leases } = await world.leases.listLeases({ config: name });
  expect(leases).toMatchObject([{ state: LeaseState.LEASE_STATE_FAILED, objects: [{ kind: 'ServiceAccount' }] }]);
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
