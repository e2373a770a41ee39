import { expect, test } from 'vitest';
import { chargeCheck, chargeTrial } from '../../src/shared/configs/charge-calls.ts';
import { checkConfig } from '../../src/shared/configs/check-config.ts';
import { etagOf } from '../../src/shared/configs/etag.ts';
import { tryConfig } from '../../src/shared/configs/try-config.ts';
import { updateConfig } from '../../src/shared/configs/update-config.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import type { Permission } from '../../src/shared/domain/permissions.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import type { Cluster } from '../../src/shared/ports/cluster.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { sampleConfig } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// What a check or a trial is charged is what its cluster may be asked: never less, and not much more.

/** Of all sample configs. */
const CLUSTER = 'https://cluster.test';

const NAMESPACES = Array.from({ length: 64 }, (_, index) => `team-${index}`);

const dynamic = (changes: object): Config['credential'] => ({
  kind: 'dynamic',
  allowedNamespaces: NAMESPACES,
  role: { kind: 'ClusterRole', name: 'view' },
  bindingScope: 'namespace',
  ...changes,
});

const CREDENTIALS: Record<string, Config['credential']> = {
  'a static one': { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: false },
  'a revocable one': { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: true },
  'one namespace': dynamic({ allowedNamespaces: ['one'] }),
  '64 namespaces and a ClusterRole': dynamic({}),
  '64 namespaces and a Role in each': dynamic({ role: { kind: 'Role', name: 'view' } }),
  '64 namespaces and bindings for the whole cluster': dynamic({ bindingScope: 'cluster' }),
};

/** Ports that count what clusters are asked, and what is charged. `mayBind`: where not, a dry run must tell. */
function countingPorts({
  mayBind,
  mayDo = () => true,
}: {
  mayBind: boolean;
  mayDo?: (permission: Permission) => boolean;
}) {
  const memory = memoryPorts();
  const counts = { asked: 0, charged: 0, trials: 0 };
  const server = memory.clusters.server(CLUSTER);
  server.add({ kind: 'ServiceAccount', namespace: 'one', name: 'reader' });
  for (const namespace of NAMESPACES) {
    server.createNamespace(namespace);
    server.roles.set(`${namespace}/view`, { isEmpty: false, isAggregated: false });
  }
  const ports: Ports = {
    ...memory,
    callBudgets: {
      async admitQuestions(_principal, count) {
        counts.charged += count;
      },
      async admitTrial(_principal, count) {
        counts.trials += 1;
        counts.charged += count;
      },
    },
    clusters: { at: (access) => counted(memory.clusters.at(access)) },
  };
  function counted(cluster: Cluster): Cluster {
    return new Proxy(cluster, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') {
          return method;
        }
        return (...args: unknown[]) => {
          counts.asked += 1;
          const asked = name === 'canI' ? (args[0] as Permission) : undefined;
          const isDenied = asked && (asked.verb === 'bind' ? !mayBind : !mayDo(asked));
          return isDenied ? Promise.resolve({ allowed: false, reason: 'no' }) : method.apply(target, args);
        };
      },
    });
  }
  return { ports, counts };
}

test.each(Object.entries(CREDENTIALS))('a check of %s', async (_what, credential) => {
  const { ports, counts } = countingPorts({ mayBind: false });
  const config = sampleConfig('blue', { credential });
  await chargeCheck(ports, 'caller', config);
  await checkConfig(ports, config);
  expect(counts).toMatchObject({ charged: counts.asked, trials: 0 });
});

test.each(Object.entries(CREDENTIALS))('a trial of %s', async (_what, credential) => {
  const { ports, counts } = countingPorts({ mayBind: true });
  const config = sampleConfig('blue', { credential });
  await ports.configs.keepAccess(config.access);
  await chargeTrial(ports, 'caller', config);
  await tryConfig(ports, config);
  expect(counts.trials).toBe(1);
  expect(counts.asked).toBeLessThanOrEqual(counts.charged);
});

// The token before is asked in each namespace in which the new one may do nothing.
test.each(
  Object.entries(CREDENTIALS).flatMap(([what, credential]) =>
    ([true, false] as const).map((mayBind) => [what, mayBind, credential] as const),
  ),
)('another token for %s (may bind: %s), where most namespaces are gone', async (_what, mayBind, credential) => {
  const { ports, counts } = countingPorts({
    mayBind,
    mayDo: ({ namespace }) => namespace === undefined || namespace === 'one' || namespace === 'team-0',
  });
  const config = sampleConfig('blue', { credential });
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  const { id: _, configUid: __, gateway: ___, ...access } = sampleConfig('blue').access;
  const another = { ...access, gateway: undefined, token: new Secret('another token') };
  await updateConfig(ports, config, etagOf(config), () => ({ ...config, access: another }), 'caller');
  expect(counts.trials).toBe(1);
  expect(counts.asked).toBeGreaterThan(0);
  expect(counts.asked).toBeLessThanOrEqual(counts.charged);
});
