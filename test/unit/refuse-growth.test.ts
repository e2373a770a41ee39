import { v7 as uuidv7 } from 'uuid';
import { beforeEach, expect, test } from 'vitest';
import { createConfig } from '../../src/shared/configs/create-config.ts';
import { etagOf } from '../../src/shared/configs/etag.ts';
import { updateConfig } from '../../src/shared/configs/update-config.ts';
import type { AccessDraft, Config } from '../../src/shared/domain/config.ts';
import { ResourceExhausted } from '../../src/shared/domain/errors.ts';
import { createGateway } from '../../src/shared/gateways/create-gateway.ts';
import { createEnrolmentToken } from '../../src/shared/gateways/enrolment-token.ts';
import { runBatch, startBatch } from '../../src/shared/leases/batch.ts';
import { issueLease } from '../../src/shared/leases/issue.ts';
import { renewLease } from '../../src/shared/leases/renew.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import type { GrowthUse } from '../../src/shared/redis/memory-room.ts';
import { refuseGrowth } from '../../src/shared/redis/refuse-growth.ts';
import { sampleConfig } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// What is refused while the store is almost full, and what goes on.

const GATEWAY = { name: 'edge', uid: 'uid-of-edge', createTime: 0 };
const ACCESS: AccessDraft = { ...sampleConfig('draft').access, gateway: undefined };

/** What is refused. */
let refused: readonly GrowthUse[];
let memory: ReturnType<typeof memoryPorts>;
let ports: Ports;
let config: Config;
beforeEach(async () => {
  refused = [];
  memory = memoryPorts();
  ports = refuseGrowth<Ports>(memory, {
    async grow(_, write, use) {
      if (refused.includes(use)) {
        throw new ResourceExhausted('STORE_ALMOST_FULL', 'full', { subject: 'store', retryAfterMs: 1 });
      }
      return write();
    },
  });
  const server = memory.clusters.server('https://cluster.test');
  server.add({ kind: 'ServiceAccount', namespace: 'one', name: 'reader' });
  config = sampleConfig('static', {
    credential: { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: true },
  });
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  await ports.gateways.create(GATEWAY);
});

const update = (change: Parameters<typeof updateConfig>[3]) =>
  updateConfig(ports, config, etagOf(config), change, 'caller');

const issue = () => issueLease(ports, config, { config: config.name, audiences: [], principal: 'caller' });

const { uid: _, version: __, createTime: ___, updateTime: ____, ...draft } = sampleConfig('draft');

test.each<[what: string, call: () => Promise<unknown>]>([
  ['IssueLease', issue],
  ['CreateConfig', () => createConfig(ports, { ...draft, access: ACCESS }, 'caller')],
  ['UpdateConfig that tries a lease', () => update((current) => ({ ...draft, name: current.name, access: ACCESS }))],
  ['CreateGateway', () => createGateway(ports, { name: 'other', tokenTtlSeconds: 60, principal: 'caller' })],
])('%s is refused, and leaves nothing', async (_, call) => {
  refused = ['new'];
  await expect(call()).rejects.toMatchObject({ reason: 'STORE_ALMOST_FULL' });
  expect(
    await memory.leases.list({ config: undefined, principal: undefined, states: [], before: undefined, limit: 9 }),
  ).toEqual([]);
  expect(await memory.configs.list({ after: '', limit: 9 })).toHaveLength(1);
  expect(await memory.configs.get(config.name)).toMatchObject({ version: 1 });
  expect(await memory.gateways.list({ after: '', limit: 9 })).toHaveLength(1);
  expect(memory.alarm.nextAt()).toBeUndefined();
});

/** What leases may need to be taken down. */
const repairs: [what: string, call: () => Promise<unknown>][] = [
  [
    'UpdateConfig with another cluster token',
    () => update((current) => ({ ...config, name: current.name, access: ACCESS })),
  ],
  ['UpdateConfig of labels', () => update(() => ({ ...config, access: undefined, labels: { long: 'label' } }))],
  [
    'CreateEnrolmentToken',
    () =>
      createEnrolmentToken(ports, GATEWAY, {
        ttlSeconds: 60,
        revokeIdentities: false,
        principal: 'caller',
      }),
  ],
];

test.each(repairs)('%s is refused where there is no room for repairs either', async (_, call) => {
  refused = ['new', 'repair'];
  await expect(call()).rejects.toMatchObject({ reason: 'STORE_ALMOST_FULL' });
  expect(await memory.configs.get(config.name)).toMatchObject({ version: 1 });
});

test.each<[what: string, call: (id: string) => Promise<unknown>]>([
  ...repairs,
  ['RevokeLease', async (id) => revoke(ports, await lease(id), 'REVOKED')],
  ['taking down what is due', async (id) => revoke(ports, await lease(id), 'EXPIRED')],
  [
    'BatchRevokeLeases',
    async () => {
      const { id } = await startBatch(ports, { id: uuidv7(), principal: 'caller', target: { kind: 'all' } });
      await runBatch(ports, id);
    },
  ],
  ['RenewLease', async (id) => renewLease(ports, await lease(id), 1_000)],
  ['GetLease', lease],
  ['ListConfigs', () => ports.configs.list({ after: '', limit: 9 })],
  ['an agent that enrols', () => ports.gateways.enrol('hash', { id: 'identity', publicKey: 'key' })],
  ['revoking the identities of a gateway', () => ports.gateways.revokeIdentities(GATEWAY)],
  ['DeleteGateway', () => ports.gateways.delete(GATEWAY)],
])('%s goes on', async (_, call) => {
  const granted = await issue();
  refused = ['new'];
  await call(granted.lease.id);
});

async function lease(id: string) {
  const found = await ports.leases.get(id);
  if (!found) {
    throw new Error('the lease is not there');
  }
  return found;
}

test('a worker, whose ports are as they are, renews a cluster token all the same', async () => {
  refused = ['new', 'repair'];
  const access = { ...config.access, id: uuidv7() };
  await memory.configs.keepAccess(access);
  await memory.configs.replace({ ...config, access, version: 2 });
  expect(await ports.configs.get(config.name)).toMatchObject({ version: 2 });
});
