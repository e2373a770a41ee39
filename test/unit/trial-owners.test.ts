import { expect, test, vi } from 'vitest';
import { tryConfig } from '../../src/shared/configs/try-config.ts';
import { type Principal, principalName } from '../../src/shared/domain/principal.ts';
import { asWorkOf } from '../../src/shared/telemetry/current-caller.ts';
import { claimOf } from '../../src/worker/claim-of.ts';
import { sampleConfig } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// What a trial leaves behind is taken down on the share of whoever asked for it, not on one that all trials have.

const callerOf = (id: string): Principal => ({ kind: 'api-key', id, issuer: 'leasehold', groups: [] });

async function trialLeaseOf(id: string) {
  const ports = memoryPorts();
  const server = ports.clusters.server('https://cluster.test');
  server.add({ kind: 'ServiceAccount', namespace: 'one', name: 'reader' });
  const config = sampleConfig('tried', {
    credential: { kind: 'static', namespace: 'one', serviceAccount: 'reader', revocable: true },
  });
  await ports.configs.keepAccess(config.access);
  const recorded = vi.spyOn(ports.leases, 'record');
  const steps = asWorkOf(
    callerOf(id),
    (async function* () {
      yield await tryConfig(ports, config);
    })(),
  );
  for await (const warnings of steps) {
    expect(warnings).toEqual([]);
  }
  const [lease] = recorded.mock.calls[0] ?? expect.fail('no trial lease was recorded');
  return { lease, claim: await claimOf(ports, lease) };
}

test('a trial lease belongs to its caller, and so does its place in the worker', async () => {
  const [one, other] = [await trialLeaseOf('one'), await trialLeaseOf('other')];
  expect(one.lease).toMatchObject({ purpose: 'trial', principal: principalName(callerOf('one')) });
  expect(one.claim.principal).not.toBe(other.claim.principal);
});
