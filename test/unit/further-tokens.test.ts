import { expect, test } from 'vitest';
import { issueLease } from '../../src/shared/leases/issue.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { sampleConfig } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

test('no further token leaves for a lease that is revoked while it is minted', async () => {
  const memory = memoryPorts();
  const config = sampleConfig('static', {
    credential: { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: false },
  });
  memory.clusters.server('https://cluster.test').add({ kind: 'ServiceAccount', namespace: 'one', name: 'reader' });
  await memory.configs.keepAccess(config.access);
  await memory.configs.create(config);
  const request = { config: 'static', audiences: [], principal: 'caller', requestId: 'same' };
  const { lease } = await issueLease(memory, config, request);
  await issueLease(memory, config, request);
  const ports: Ports = {
    ...memory,
    clusters: {
      at(access) {
        const cluster = memory.clusters.at(access);
        const minting: Pick<typeof cluster, 'mintToken'> = {
          async mintToken(...args) {
            const minted = await cluster.mintToken(...args);
            const current = (await memory.leases.get(lease.id)) ?? lease;
            await revoke(memory, current, 'REVOKED');
            return minted;
          },
        };
        return Object.assign(memory.clusters.at(access), minting);
      },
    },
  };
  await expect(issueLease(ports, config, request)).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
});
