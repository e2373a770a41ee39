import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { Keys } from '../../src/shared/redis/keys.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';
import { type Leasehold, startLeasehold } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { refusal, type ScriptedCluster, startScriptedCluster } from '../support/scripted-cluster.ts';
import { directAccess, viewConfig } from '../support/set-ups.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';

// What a caller may fill Redis with: what is stored for it has a quota, and what failed is not stored.

const MOST = 3;
const PRINCIPAL = 'principal:apikey:tests';

const folder = await makeTempFolder('quotas');
const redis = new Redis(inject('redisUrl'));
let leasehold: Leasehold;
let keys: Keys;
let scripted: ScriptedCluster;
beforeAll(async () => {
  const relay = await writeRelayCertificate(folder.path);
  leasehold = await startLeasehold(inject('redisUrl'), {
    LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL: String(MOST),
    LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL: String(MOST),
    // Gateways can be created; none attaches.
    LEASEHOLD_RELAY_LISTEN: '127.0.0.1:0',
    ...relay.ofServers,
  });
  keys = new Keys(leasehold.settings.LEASEHOLD_INSTALLATION);
  scripted = await startScriptedCluster();
});
afterAll(async () => {
  scripted.stop();
  await leasehold.stop();
  await redis.quit();
  await folder.remove();
});
beforeEach(() => scripted.play(() => undefined));

const configOf = (name: string, token = 'a-token') => viewConfig(name, directAccess(scripted, token));

const fresh = () => `c-${randomUUID().slice(0, 8)}`;

async function storedKeys(what: string): Promise<string[]> {
  const found = await redis.keys(keys.pattern.replace('*', `${what}:*`));
  return found.toSorted();
}

/** Configs and gateways: how one is made, and how it goes. */
const KINDS = {
  configs: {
    reason: 'TOO_MANY_CONFIGS_OF_PRINCIPAL',
    setting: 'LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL',
    set: () => keys.configsBy('apikey:tests'),
    record: (name: string) => keys.config(name),
    make: (name: string) => leasehold.configs.createConfig({ config: configOf(name) }),
    remove: (name: string) => leasehold.configs.deleteConfig({ name }),
    list: async () => (await leasehold.configs.listConfigs({ pageSize: 100 })).configs,
  },
  gateways: {
    reason: 'TOO_MANY_GATEWAYS_OF_PRINCIPAL',
    setting: 'LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL',
    set: () => keys.gatewaysBy('apikey:tests'),
    record: (name: string) => keys.gateway(name),
    make: (name: string) => leasehold.gateways.createGateway({ name }),
    remove: (name: string) => leasehold.gateways.deleteGateway({ name }),
    list: async () => (await leasehold.gateways.listGateways({ pageSize: 100 })).gateways,
  },
};

describe.each(Object.entries(KINDS))('%s', (_what, { reason, setting, set, record, make, remove, list }) => {
  async function removeAll(): Promise<void> {
    for (const { name } of await list()) {
      await remove(name);
    }
  }
  beforeEach(removeAll);
  afterAll(removeAll);

  test('are refused beyond the quota, with whose it is, the limit and its setting', async () => {
    const names = Array.from({ length: MOST }, fresh);
    await Promise.all(names.map((name) => make(name)));
    const rejection = await rejectionOf(make(fresh()));
    expect(rejection).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, reason, quotas: [PRINCIPAL], retry: true });
    expect(rejection.message).toContain(`${PRINCIPAL} has ${MOST} `);
    expect(rejection.message).toContain(setting);
    await remove(names[0] ?? '');
    await make(fresh());
  });

  test('that many calls make and remove at once are counted as they are, not as they were', async () => {
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        const name = fresh();
        const made = await make(name).catch(() => undefined);
        await (made && remove(name));
      }),
    );
    expect(await redis.smembers(set())).toEqual([]);
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => make(fresh())));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(MOST);
    expect((await redis.smembers(set())).toSorted()).toEqual((await list()).map(({ name }) => name).toSorted());
  });

  test('that went without being counted off, as with a server of before, make room all the same', async () => {
    const names = Array.from({ length: MOST }, fresh);
    await Promise.all(names.map((name) => make(name)));
    await redis.del(record(names[0] ?? ''));
    await make(fresh());
    expect(await redis.smembers(set())).not.toContain(names[0]);
  });
});

describe('a call that fails', () => {
  /** Something that is no API server, one whose role is missing, and one that takes creations back. */
  const failures = {
    'at the first question': () => scripted.play(() => refusal(404, 'NotFound', 'no such page')),
    'at the role': () => scripted.play(({ what }) => (/get clusterroles/.test(what) ? missingRole() : undefined)),
    'at an object': () =>
      scripted.play(({ what }) => (what === 'create rolebindings' ? refusal(403, 'Forbidden', 'no') : undefined)),
  };

  function missingRole() {
    return refusal(404, 'NotFound', 'clusterroles.rbac.authorization.k8s.io "view" not found', 'view');
  }

  test.each(Object.entries(failures))('%s stores nothing: CreateConfig', async (_where, fail) => {
    fail();
    const before = await storedKeys('access');
    for (let index = 0; index < 10; index++) {
      await rejectionOf(leasehold.configs.createConfig({ config: configOf(fresh()) }));
    }
    await eventually(async () => expect(await storedKeys('access')).toEqual(before));
    expect(await redis.exists(keys.trialsBy('apikey:tests'))).toBe(0);
  });

  test.each(Object.entries(failures))('%s stores nothing: UpdateConfig, and the config stays', async (_where, fail) => {
    const name = fresh();
    await leasehold.configs.createConfig({ config: configOf(name) });
    const before = await storedKeys('access');
    fail();
    const changes = [
      {
        config: { ...configOf(name, 'other-token'), audiences: ['another'] },
        updateMask: ['direct.token', 'audiences'],
      },
      // With the access that the config has.
      { config: { ...configOf(name), audiences: ['another'] }, updateMask: ['audiences'] },
    ];
    for (const change of changes) {
      await rejectionOf(leasehold.configs.updateConfig(change));
      await eventually(async () => expect(await storedKeys('access')).toEqual(before));
    }
    scripted.play(() => undefined);
    const { lease } = await leasehold.leases.issueLease({ config: name });
    await leasehold.leases.revokeLease({ id: lease?.id ?? '' });
    await leasehold.configs.deleteConfig({ name });
  });

  test('leaves the access to the trial lease that must be taken down with it, until it is', async () => {
    let mayDelete = false;
    scripted.play(({ what }) => {
      if (what === 'create rolebindings') {
        return refusal(403, 'Forbidden', 'no');
      }
      return what.startsWith('delete') && !mayDelete ? refusal(500, 'InternalError', 'sick') : undefined;
    });
    const before = await storedKeys('access');
    await rejectionOf(leasehold.configs.createConfig({ config: configOf(fresh()) }));
    expect(await storedKeys('access')).toHaveLength(before.length + 1);
    mayDelete = true;
    await eventually(async () => expect(await storedKeys('access')).toEqual(before));
  });
});

test('ids of accesses that are gone do not pile up under their key', async () => {
  const under = keys.accessesUnder('env');
  await redis.sadd(under, ...Array.from({ length: 200 }, () => randomUUID()));
  const name = fresh();
  await leasehold.configs.createConfig({ config: configOf(name) });
  for (let index = 0; index < 100; index++) {
    await leasehold.configs.updateConfig({ config: configOf(name, `token-${index}`), updateMask: ['direct.token'] });
  }
  const ids = await redis.smembers(under);
  const stored = await storedKeys('access');
  expect(ids.length).toBeLessThan(stored.length + 100);
  await leasehold.configs.deleteConfig({ name });
});
