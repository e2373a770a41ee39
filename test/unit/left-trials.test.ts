import { expect, test } from 'vitest';
import { updateConfig } from '../../src/shared/configs/update-config.ts';
import type { Config } from '../../src/shared/domain/config.ts';
import { requireIntact } from '../../src/shared/domain/damaged-config.ts';
import { MAX_TRIALS_OF_PRINCIPAL } from '../../src/shared/domain/lease-limits.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { sampleConfig } from '../contract/samples.ts';
import { refused } from '../fakes/memory-cluster.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

const CALL = { verb: 'delete', apiGroup: '', resource: 'serviceaccounts' } as const;
const NAMESPACES = Array.from({ length: 64 }, (_, index) => `team-${index}`);

test('a cluster that refuses deletes keeps a bounded number of trial leases of a caller', async () => {
  const ports = memoryPorts(Date.now);
  const config = sampleConfig('blue');
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  for (const namespace of NAMESPACES) {
    ports.clusters.server('https://cluster.test').createNamespace(namespace);
  }
  const at = ports.clusters.at.bind(ports.clusters);
  ports.clusters.at = (access) =>
    Object.assign(at(access), { remove: () => Promise.reject(refused(CALL, 409, 'Conflict', '')) });
  const credential = { ...config.credential, allowedNamespaces: NAMESPACES } as Config['credential'];

  const outcomes: unknown[] = [];
  for (let call = 0; call < 6; call++) {
    const change = () => ({ ...requireIntact(config), access: undefined, credential });
    const current = await findConfig(ports, 'blue');
    outcomes.push(await updateConfig(ports, current, '', change, `caller-${call % 2}`).catch((error) => error));
  }
  const live = await ports.leases.dueBefore(Number.MAX_SAFE_INTEGER, { offset: 0, limit: 10_000 });
  expect(live).toHaveLength(MAX_TRIALS_OF_PRINCIPAL);
  expect(outcomes[0]).toMatchObject({ reason: expect.not.stringContaining('TOO_MANY') });
  expect(outcomes.at(-1)).toMatchObject({ reason: 'TOO_MANY_TRIALS_OF_PRINCIPAL', subject: 'principal:leasehold' });
});
