import { readFileSync } from 'node:fs';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { startWorker } from '../../src/worker/start-worker.ts';
import type { Account } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { grantedBy } from '../support/granted-by.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ConfigFields, directAccess, seconds, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// Cluster tokens that renew themselves, with the rights that deploy/rbac documents.

const TOKEN_SECONDS = 600;

/** Less than a third of its life is left then. */
const LATER_MS = 450_000;

let world: World;
beforeAll(async () => {
  // Older API servers give the same token to who asks for the same in the same second.
  world = await openWorld({ LEASEHOLD_TOKEN_RENEWAL_INTERVAL: '2' });
});
afterAll(() => world.stop());

/** A manifest of deploy/rbac for an account, and a namespace, of the test's own. */
function documented(file: string, account: Account, team: string): string {
  return readFileSync(new URL(`../../deploy/rbac/${file}.yaml`, import.meta.url), 'utf8')
    .replaceAll('team-a', team)
    .replaceAll(/\bleasehold\b(?!-)/g, account.name);
}

interface Setup {
  account: Account;
  renewal: string;
  config: ConfigFields & { name: string };
}

/** An account with the documented rights of a static config, a token of ten minutes, and a config that is to renew it. */
async function setUp(name: string): Promise<Setup> {
  const team = await world.admin.createNamespace();
  await world.admin.createServiceAccount(team, 'deployer');
  const namespace = await world.admin.createNamespace('renew');
  // The documented account and its namespace have one name.
  const account = { namespace, name: namespace };
  await world.admin.apply(documented('static', account, team));
  const token = await world.admin.mintToken(account, { expirationSeconds: TOKEN_SECONDS });
  await world.admin.waitUntilMay(account, {
    verb: 'get',
    resource: 'serviceaccounts',
    namespace: team,
    name: 'deployer',
  });
  const config: Setup['config'] = {
    name,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    access: withRenewal(token),
    credential: { $case: 'static', value: { namespace: team, serviceAccount: 'deployer' } },
  };
  return { account, renewal: documented('renew-token', account, team), config };
}

function withRenewal(token: string): NonNullable<ConfigFields['access']> {
  return { $case: 'direct', value: { ...directAccess(world.cluster, token).value, renewToken: true } };
}

async function permit({ account, renewal }: Setup): Promise<void> {
  await world.admin.apply(renewal);
  await world.admin.waitUntilMay(account, itself(account));
}

function itself({ namespace, name }: Account) {
  return { verb: 'create', resource: 'serviceaccounts', subresource: 'token', namespace, name };
}

/**
 * A worker to which it is later, until it has renewed the token of that config: to a later one the new token would be due
 * again at once, and an API server of 1.20 gives the same token to who asks for the same in the same second.
 */
async function workerOfLater(name: string) {
  const logs: string[] = [];
  const log = createLogger('worker', 'info', { write: (line: string) => logs.push(line) });
  await world.stopWorker();
  let laterMs = LATER_MS;
  const worker = await startWorker(world.settings, log, (ports) => {
    const { configs } = ports;
    const replace = configs.replace.bind(configs);
    configs.replace = (config) => {
      laterMs = config.name === name ? 0 : laterMs;
      return replace(config);
    };
    return { ...ports, clock: { ...ports.clock, now: () => Date.now() + laterMs } };
  });
  return {
    logs,
    async stop() {
      await worker.stop();
      await world.startWorker();
    },
  };
}

describe('renew-token.yaml', () => {
  test('grants what CheckConfig asks for and CreateConfig tries, and tokens of no other account', async () => {
    const setup = await setUp('permitted');
    const { account, renewal, config } = setup;
    const own = {
      verb: 'create',
      resource: 'serviceaccounts/token',
      namespace: account.namespace,
      objectName: account.name,
    };
    const before = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(before.permissions.filter(({ allowed }) => !allowed)).toEqual([expect.objectContaining(own)]);
    expect(before.missingRbacManifest).toContain(account.name);
    expect(await rejectionOf(world.configs.createConfig({ config }))).toMatchObject({
      code: Status.FAILED_PRECONDITION,
      reason: 'CLUSTER_FORBIDDEN',
      metadata: { verb: 'create', resource: 'serviceaccounts/token', ...account, http_status: '403' },
    });

    await permit(setup);
    const after = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    expect(after.allAllowed).toBe(true);
    expect(grantedBy(renewal)).toEqual(['Role: create serviceaccounts/token']);
    await world.configs.createConfig({ config });
    const { name } = await world.admin.createServiceAccount(account.namespace, 'another');
    await world.admin.waitUntilMay(account, itself({ ...account, name }), false);
  });

  test('may be the manifest that CheckConfig returns', async () => {
    const { account, config } = await setUp('from-check');
    const check = await world.configs.checkConfig({ target: { $case: 'config', value: config } });
    await world.admin.apply(check.missingRbacManifest);
    await world.admin.waitUntilMay(account, itself(account));
    await world.configs.createConfig({ config });
  });
});

describe('a config that is to renew its token', () => {
  test('says until when it is good', async () => {
    const setup = await setUp('told');
    await permit(setup);
    const created = await world.configs.createConfig({ config: setup.config });
    const read = await world.configs.getConfig({ name: 'told' });
    expect(read).toEqual(created);
    expect(read).toMatchObject({ access: { value: { renewToken: true, token: '' } }, tokenRenewalError: '' });
    const leftSeconds = ((read.tokenExpireTime?.getTime() ?? 0) - Date.now()) / 1000;
    expect(leftSeconds).toBeGreaterThan(TOKEN_SECONDS - 60);
    expect(leftSeconds).toBeLessThanOrEqual(TOKEN_SECONDS);
  });

  test.each<[string, (account: Account) => Promise<string>]>([
    ['that is none of a service account', async () => 'opaque'],
    [
      'that ends with a Secret',
      async (account) => {
        const { metadata: { uid = '' } = {} } = await world.admin.core.createNamespacedSecret({
          namespace: account.namespace,
          body: { metadata: { name: 'bound' } },
        });
        const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'bound', uid };
        return world.admin.mintToken(account, { boundObjectRef });
      },
    ],
  ])('takes no token %s', async (_, tokenOf) => {
    const { account, config } = await setUp('refused');
    const spoilt = { ...config, access: withRenewal(await tokenOf(account)) };
    for (const call of [
      () => world.configs.createConfig({ config: spoilt }),
      () => world.configs.checkConfig({ target: { $case: 'config', value: spoilt } }),
    ]) {
      expect(await rejectionOf(call())).toMatchObject({
        code: Status.INVALID_ARGUMENT,
        fields: ['config.direct.renew_token'],
      });
    }
  });

  test('may be told so later, and tries it then', async () => {
    const setup = await setUp('later');
    const access = directAccess(world.cluster, '');
    const renewing = { name: 'later', access: { ...access, value: { ...access.value, renewToken: true } } } as const;
    const token = setup.config.access?.$case === 'direct' ? (setup.config.access.value?.token ?? '') : '';
    await world.configs.createConfig({ config: { ...setup.config, access: directAccess(world.cluster, token) } });
    const update = () => world.configs.updateConfig({ config: renewing, updateMask: ['direct.renew_token'] });
    expect(await rejectionOf(update())).toMatchObject({ reason: 'CLUSTER_FORBIDDEN' });

    await permit(setup);
    expect(await update()).toMatchObject({ access: { value: { renewToken: true } } });
  });
});

test('a token is renewed by the worker in time, and leases of before are taken down with the new one', async () => {
  const setup = await setUp('renewed');
  await permit(setup);
  const created = await world.configs.createConfig({ config: setup.config });
  const { lease } = await world.leases.issueLease({ config: 'renewed' });
  const worker = await workerOfLater('renewed');
  await eventually(async () => {
    const { tokenExpireTime, etag } = await world.configs.getConfig({ name: 'renewed' });
    expect(tokenExpireTime?.getTime()).toBeGreaterThan(created.tokenExpireTime?.getTime() ?? 0);
    expect(etag).not.toBe(created.etag);
  });
  await worker.stop();
  await world.leases.issueLease({ config: 'renewed' });
  expect((await world.leases.revokeLease({ id: lease?.id ?? '' })).endTime).toBeDefined();
  expect(await world.configs.getConfig({ name: 'renewed' })).toMatchObject({ tokenRenewalError: '' });
});

test('a renewal that the cluster forbids is shown until it is allowed again', async () => {
  const setup = await setUp('forbidden');
  const { account, config } = setup;
  await permit(setup);
  const created = await world.configs.createConfig({ config });
  await world.admin.rbac.deleteNamespacedRoleBinding({ namespace: account.namespace, name: 'leasehold-renew-token' });
  await world.admin.waitUntilMay(account, itself(account), false);
  const worker = await workerOfLater('forbidden');
  await eventually(async () => {
    const read = await world.configs.getConfig({ name: 'forbidden' });
    expect(read.tokenRenewalError).toContain('cannot create resource "serviceaccounts/token"');
    expect(read).toEqual({ ...created, tokenRenewalError: read.tokenRenewalError });
  });

  await permit(setup);
  await eventually(async () => {
    const read = await world.configs.getConfig({ name: 'forbidden' });
    expect(read.tokenRenewalError).toBe('');
    expect(read.tokenExpireTime?.getTime()).toBeGreaterThan(created.tokenExpireTime?.getTime() ?? 0);
  });
  await worker.stop();
  const told = worker.logs.filter((line) => line.includes('"config":"forbidden"') && line.includes('not renewed'));
  expect(told).toHaveLength(1);
  expect(worker.logs.join('')).not.toContain('eyJ');
});

test('a dynamic config renews as well', async () => {
  const { config, requester } = await setUpDynamic(world, 'dynamic');
  const token = await world.admin.mintToken(requester.account, { expirationSeconds: TOKEN_SECONDS });
  const created = await world.configs.createConfig({ config: { ...config, access: withRenewal(token) } });
  const { lease } = await world.leases.issueLease({ config: 'dynamic' });
  const worker = await workerOfLater('dynamic');
  await eventually(async () => {
    const { tokenExpireTime } = await world.configs.getConfig({ name: 'dynamic' });
    expect(tokenExpireTime?.getTime()).toBeGreaterThan(created.tokenExpireTime?.getTime() ?? 0);
  });
  await worker.stop();
  expect((await world.leases.revokeLease({ id: lease?.id ?? '' })).endTime).toBeDefined();
  expect(await world.admin.leaseholdObjects(world.settings.LEASEHOLD_INSTALLATION)).toEqual([]);
});
