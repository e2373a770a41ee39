import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { BatchOutcome } from '../../src/shared/domain/batch.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { revokeMatching } from '../../src/shared/leases/revoke-matching.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';

// A batch whose store fails once throws, so that whoever runs it tries again; it must not wait for what will not come.

const memory = memoryPorts();
// A batch that hangs looks again and again: other timers must ring in between.
const ports: Ports = { ...memory, clock: { ...memory.clock, sleep: (ms) => sleep(Math.min(ms, 10)) } };

async function threeLeases(name: string): Promise<void> {
  const config = sampleConfig(name);
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  for (let index = 0; index < 3; index++) {
    const pending = sampleLease(config);
    await ports.leases.record(pending);
    await ports.leases.save(active(pending));
  }
}

/** The ports, of which one call, to that method of that store, fails. */
function failingOnce<Store extends 'leases' | 'configs'>(store: Store, name: keyof Ports[Store]): Ports {
  let hasFailed = false;
  const failing = new Proxy(ports[store], {
    get(target, method) {
      const value: unknown = Reflect.get(target, method);
      if (typeof value !== 'function') {
        return value;
      }
      return async (...args: unknown[]) => {
        if (method === name && !hasFailed) {
          hasFailed = true;
          throw new Unavailable('STORE_UNAVAILABLE', 'the store is away');
        }
        return value.apply(target, args);
      };
    },
  });
  return { ...ports, [store]: failing };
}

test.each<[what: string, failing: () => Ports]>([
  ['saving a lease', () => failingOnce('leases', 'save')],
  ['listing leases', () => failingOnce('leases', 'list')],
  ['reading an access', () => failingOnce('configs', 'getAccess')],
  ['reporting', () => ports],
])('a failure of %s is thrown, and the next run revokes all', async (what, failing) => {
  const name = `config-${what.replaceAll(' ', '-')}`;
  await threeLeases(name);
  const reported: BatchOutcome[] = [];
  let isReportFailing = what === 'reporting';
  const matching = {
    configs: [name],
    matches: () => true,
    async report(outcome: BatchOutcome) {
      if (isReportFailing) {
        isReportFailing = false;
        throw new Unavailable('STORE_UNAVAILABLE', 'the store is away');
      }
      reported.push(outcome);
    },
  };
  const failingPorts = failing();
  await expect(revokeMatching(failingPorts, matching)).rejects.toThrow('the store is away');
  await revokeMatching(failingPorts, matching);
  const left = await ports.leases.list({
    config: name,
    principal: undefined,
    states: ['PENDING', 'ACTIVE', 'REVOKING'],
    before: undefined,
    limit: 10,
  });
  expect(left).toEqual([]);
});
