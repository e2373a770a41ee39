import { expect, test, vi } from 'vitest';
import { ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import { RecordDamaged } from '../../src/shared/domain/errors.ts';
import { marksOf } from '../../src/shared/domain/marks.ts';
import { ReadBack } from '../../src/shared/leases/read-back.ts';
import { sampleConfig, sampleLease } from '../contract/samples.ts';
import { refused } from '../fakes/memory-cluster.ts';
import { INSTALLATION, memoryPorts } from '../fakes/memory-ports.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const DAY_MS = 86_400_000;

test('an orphan that waits for its finalizers does not keep the others standing', async () => {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const server = ports.clusters.server(config.access.url);
  const [stuck, ...others] = [1, 2, 3, 4].map((count) =>
    server.add(
      { kind: 'ServiceAccount', namespace: 'one', name: `orphan-${count}` },
      marksOf(sampleLease(config), INSTALLATION),
    ),
  );
  if (stuck) {
    server.setFinalizers(stuck, ['test.leasehold.dev/wait']);
  }
  const readBack = new ReadBack(ports);

  expect(await readBack.run()).toBe(others.length);
  expect(server.objects).toEqual([stuck]);
  if (stuck) {
    server.setFinalizers(stuck, []);
  }
  await readBack.run();
  expect(server.objects).toEqual([]);
});

test('an object of a lease whose record is damaged goes like those that are forgotten, and keeps no other standing', async () => {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const server = ports.clusters.server(config.access.url);
  const leases = [1, 2].map(() => sampleLease(config));
  for (const lease of leases) {
    const account = { kind: 'ServiceAccount', namespace: 'one', name: `orphan-of-${lease.id}` } as const;
    server.add(account, marksOf(lease, INSTALLATION));
  }
  const [damaged] = leases;
  ports.leases.get = async (id) => {
    if (id === damaged?.id) {
      throw new RecordDamaged('lease', id);
    }
    return undefined;
  };

  expect(await new ReadBack(ports).run()).toBe(2);
  expect(server.objects).toEqual([]);
});

const CALL = { verb: 'list', apiGroup: '', resource: 'serviceaccounts' } as const;

/** Two configs on one cluster that name the same namespaces; the cluster answers the first so. Returns how often it is asked. */
async function besides(failure: Error) {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const namespaces = Array.from({ length: 64 }, (_, index) => `team-${index}`);
  const credential = {
    ...sampleConfig('any').credential,
    kind: 'dynamic',
    allowedNamespaces: namespaces,
  } as Config['credential'];
  for (const name of ['a-failing', 'well']) {
    const config = sampleConfig(name, { credential });
    await ports.configs.keepAccess(config.access);
    await ports.configs.create(config);
    ports.clusters
      .server('https://cluster.test')
      .add(
        { kind: 'ServiceAccount', namespace: 'team-63', name: `orphan-${name}` },
        marksOf(sampleLease(sampleConfig(name)), INSTALLATION),
      );
  }
  const at = ports.clusters.at.bind(ports.clusters);
  let asked = 0;
  ports.clusters.at = (access) => {
    const cluster = at(access);
    if (access.kind === 'direct' && access.token.reveal().includes('failing')) {
      cluster.listMarked = async function* () {
        asked += 1;
        yield await Promise.reject(failure);
      };
    }
    return cluster;
  };
  const removed = await new ReadBack(ports).run();
  return { asked, removed, objects: ports.clusters.server('https://cluster.test').objects };
}

test('what does not answer is asked once, and not for each of its namespaces', async () => {
  const { asked } = await besides(new ClusterUnreachable(CALL, 'no answer'));
  expect(asked).toBe(1);
});

test.each([
  ['is refused', refused(CALL, 401, 'Unauthorized', '')],
  ['may not list', refused(CALL, 403, 'Forbidden', '')],
  ['gets no answer', new ClusterUnreachable(CALL, 'no answer')],
])('a config that %s does not keep the namespaces of another from being read', async (_, failure) => {
  const { removed, objects } = await besides(failure);
  expect(removed).toBe(2);
  expect(objects).toEqual([]);
});

test('slow configs, with however many namespaces, neither hold up the others nor the run after', async () => {
  const ports = memoryPorts(() => Date.now() + DAY_MS);
  const never = Promise.withResolvers<never>();
  const names = [...Array.from({ length: 40 }, (_, index) => `slow-${index}`), 'well'];
  for (const name of names) {
    const config = sampleConfig(name);
    const access = { ...config.access, url: `https://${name}.test` };
    await ports.configs.keepAccess(access);
    await ports.configs.create({ ...config, access });
    const account = { kind: 'ServiceAccount', namespace: 'one', name: `orphan-${name}` } as const;
    ports.clusters.server(access.url).add(account, marksOf(sampleLease(config), INSTALLATION));
  }
  const at = ports.clusters.at.bind(ports.clusters);
  const asked = new Map<string, number>();
  ports.clusters.at = (access) => {
    const cluster = at(access);
    const url = access.kind === 'direct' ? access.url : '';
    const list = cluster.listMarked.bind(cluster);
    cluster.listMarked = async function* (place, labels) {
      asked.set(url, (asked.get(url) ?? 0) + 1);
      yield* url.includes('slow') ? [await never.promise] : list(place, labels);
    };
    return cluster;
  };
  const well = ports.clusters.server('https://well.test');
  const readBack = new ReadBack(ports);

  const runs = [readBack.run()];
  await vi.waitFor(() => expect(well.objects).toEqual([]), { timeout: PATIENCE_MS });
  runs.push(readBack.run());
  await vi.waitFor(() => expect(asked.get('https://well.test')).toBeGreaterThan(2), { timeout: PATIENCE_MS });
  expect(asked.get('https://slow-0.test')).toBe(1);
  never.reject(new ClusterUnreachable(CALL, 'no answer'));
  await Promise.all(runs);
});
