import { Redis } from 'ioredis';
import { Status } from 'nice-grpc-common';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { Admin } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { leaseholdEnvironment } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type ServerAndWorker, startServerAndWorker } from '../support/server-and-worker.ts';
import { type DynamicSetup, setUpDynamic } from '../support/set-ups.ts';

// Whoever can write to Redis, or a disk that rots, changes records behind Leasehold's back.

const redisUrl = inject('redisUrl');
const environment = leaseholdEnvironment(redisUrl);
const keys = new Keys(environment['LEASEHOLD_INSTALLATION'] ?? '');
const redis = new Redis(redisUrl);

/** What becomes of the record of an access, given its own and that of another config. */
type Damage = (own: string, others: string) => string;

const flipped = (base64: string): string => {
  const bytes = Buffer.from(base64, 'base64');
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  return bytes.toString('base64');
};
const changing =
  (change: (own: Record<string, string>, others: Record<string, string>) => object): Damage =>
  (own, others) =>
    JSON.stringify({ ...JSON.parse(own), ...change(JSON.parse(own), JSON.parse(others)) });

const DAMAGES: Record<string, Damage> = {
  'flipped-ciphertext': changing(({ sealed = '' }) => ({ sealed: flipped(sealed) })),
  'flipped-key': changing(({ wrappedKey = '' }) => ({ wrappedKey: flipped(wrappedKey) })),
  'cut-off': (own) => own.slice(0, -40),
  'cut-ciphertext': changing(({ sealed = '' }) => ({ sealed: sealed.slice(0, 16) })),
  empty: () => '',
  'of-another': (_own, others) => others,
  'of-another-renamed': changing(({ configUid }, others) => ({ ...others, configUid })),
  'ciphertext-of-another': changing((_own, { sealed }) => ({ sealed })),
  'key-of-another': changing((_own, { wrappedKey }) => ({ wrappedKey })),
  'unknown-key': changing(() => ({ keyId: 'gone' })),
};
const NAMES = Object.keys(DAMAGES);

/** Configs whose own record is damaged, and how. */
const RECORD_DAMAGES: Record<string, (own: string, others: string) => string> = {
  'record-cut-off': (own) => own.slice(0, -40),
  'record-of-another': (_own, others) => others,
  'record-with-access-of-another': changing((_own, { accessId }) => ({ accessId })),
};
const RECORD_NAMES = Object.keys(RECORD_DAMAGES);

const leaseOf = new Map<string, string>();
let setup: DynamicSetup;
let leasehold: ServerAndWorker;

beforeAll(async () => {
  const { url, caPem, adminToken } = inject('controlPlane');
  const cluster = { url, caPem };
  setup = await setUpDynamic({ admin: new Admin(cluster, adminToken), cluster }, 'whole');
  const before = await startServerAndWorker(environment);
  for (const name of ['whole', ...NAMES, ...RECORD_NAMES]) {
    await before.client.configs.createConfig({ config: { ...setup.config, name } });
    const { lease } = await before.client.leases.issueLease({ config: name });
    leaseOf.set(name, lease?.id ?? '');
  }
  await before.stop();
  const whole = await recordOf('whole');
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const { access } = await recordOf(name);
    await redis.hset(access.key, 'data', damage(access.data, whole.access.data));
  }
  for (const [name, damage] of Object.entries(RECORD_DAMAGES)) {
    const { config } = await recordOf(name);
    await redis.hset(config.key, 'data', damage(config.data, whole.config.data));
  }
  leasehold = await startServerAndWorker(environment);
});
afterAll(async () => {
  await leasehold?.stop();
  await redis.quit();
});

async function recordOf(name: string) {
  const config = keys.config(name);
  const data = (await redis.hget(config, 'data')) ?? '';
  const access = keys.access(JSON.parse(data).accessId);
  return { config: { key: config, data }, access: { key: access, data: (await redis.hget(access, 'data')) ?? '' } };
}

const damaged = { code: Status.DATA_LOSS, reason: 'STORED_SECRET_DAMAGED' };

describe.each([...NAMES, ...RECORD_NAMES])('a config whose record is damaged: %s', (name) => {
  const lease = () => leaseOf.get(name) ?? '';

  test('is used for nothing', async () => {
    const { configs, leases } = leasehold.client;
    const rejections = await Promise.all([
      rejectionOf(leases.issueLease({ config: name })),
      rejectionOf(leases.renewLease({ id: lease() })),
      rejectionOf(configs.checkConfig({ target: { $case: 'name', value: name } })),
      rejectionOf(configs.updateConfig({ config: { name, labels: { team: 'blue' } }, updateMask: ['labels'] })),
    ]);
    for (const rejection of rejections) {
      expect(rejection).toMatchObject(damaged);
    }
  });

  test('is shown with what can be read, and why', async () => {
    const config = await leasehold.client.configs.getConfig({ name });
    expect(config).toMatchObject({ name, problem: expect.stringMatching(/\w/) });
    expect(config.access).toBeUndefined();
  });
});

test('lists of configs show all, the damaged ones as such', async () => {
  const { configs } = await leasehold.client.configs.listConfigs({});
  expect(configs.filter(({ problem }) => problem !== '').map(({ name }) => name)).toEqual(
    [...NAMES, ...RECORD_NAMES].sort(),
  );
  expect(configs.find(({ name }) => name === 'whole')).toMatchObject({ problem: '', access: { $case: 'direct' } });
});

test('another config does not notice: it issues, renews, expires and is swept', async () => {
  const { leases } = leasehold.client;
  await leases.renewLease({ id: leaseOf.get('whole') ?? '' });
  const { lease } = await issueBriefly(leasehold.client, 'whole');
  await eventually(async () =>
    expect(await leases.getLease({ id: lease?.id ?? '' })).toMatchObject({ state: LeaseState.LEASE_STATE_EXPIRED }),
  );
});

test('a lease whose access does not open stays REVOKING, and says why', async () => {
  const id = leaseOf.get('flipped-ciphertext') ?? '';
  expect(await rejectionOf(leasehold.client.leases.revokeLease({ id }))).toMatchObject(damaged);
  await eventually(async () => {
    const lease = await leasehold.client.leases.getLease({ id });
    expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING, lastError: expect.stringMatching(/open/) });
    expect(lease.tryCount).toBeGreaterThan(2);
  });
});

test('each damaged record is logged once, however often it is read', async () => {
  for (let times = 0; times < 3; times++) {
    await leasehold.client.configs.listConfigs({});
  }
  const told = leasehold.server.logs.filter(({ msg }) => msg === 'a record in Redis is damaged');
  const messages = told.map(({ err }) => (err as { message: string }).message);
  expect(new Set(messages).size).toBe(messages.length);
  expect(messages).toHaveLength(NAMES.length + RECORD_NAMES.length);
});

test('another access repairs it, and its leases are taken down by that', async () => {
  const name = 'flipped-ciphertext';
  const { configs, leases } = leasehold.client;
  await configs.updateConfig({ config: { ...setup.config, name }, updateMask: ['direct'] });
  expect(await configs.getConfig({ name })).toMatchObject({ problem: '', access: { $case: 'direct' } });
  await leases.issueLease({ config: name });
  await eventually(async () =>
    expect(await leases.getLease({ id: leaseOf.get(name) ?? '' })).toMatchObject({
      state: LeaseState.LEASE_STATE_REVOKED,
    }),
  );
});

test('a record that cannot be read at all is repaired by the whole of it', async () => {
  const name = 'record-cut-off';
  const { configs, leases } = leasehold.client;
  await configs.updateConfig({ config: { ...setup.config, name }, updateMask: ['*'] });
  expect(await configs.getConfig({ name })).toMatchObject({ problem: '', access: { $case: 'direct' } });
  await leases.revokeLease({ id: leaseOf.get(name) ?? '' });
});

test.each(['cut-off', 'unknown-key', 'record-of-another'])(
  '%s can be deleted, once no lease on it lives',
  async (name) => {
    const { configs, leases } = leasehold.client;
    expect(await rejectionOf(configs.deleteConfig({ name }))).toMatchObject({ code: Status.FAILED_PRECONDITION });
    await leases.revokeLease({ id: leaseOf.get(name) ?? '', force: true });
    await configs.deleteConfig({ name });
    expect(await rejectionOf(configs.getConfig({ name }))).toMatchObject({ code: Status.NOT_FOUND });
  },
);
