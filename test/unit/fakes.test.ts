import { describe, expect, test } from 'vitest';
import type { LeaseLimits } from '../../src/shared/domain/lease-limits.ts';
import { describeAlarm } from '../contract/alarm.ts';
import { describeBatchStore } from '../contract/batch-store.ts';
import { describeCallBudgets } from '../contract/call-budgets.ts';
import { describeCluster, type OpenCluster } from '../contract/cluster.ts';
import { describeConfigStore } from '../contract/config-store.ts';
import { describeGatewayLinks } from '../contract/gateway-links.ts';
import { describeGatewayStore } from '../contract/gateway-store.ts';
import { describeLeaseHistory } from '../contract/lease-history.ts';
import { describeLeaseLimits } from '../contract/lease-limits.ts';
import { describeLeaseStore } from '../contract/lease-store.ts';
import { describeMarkedObjects } from '../contract/marked-objects.ts';
import { describeQuotas } from '../contract/quotas.ts';
import { describeRenewalNotes } from '../contract/renewal-notes.ts';
import { describeRequestMemory } from '../contract/request-memory.ts';
import { sampleConfig } from '../contract/samples.ts';
import type { Stores } from '../contract/stores.ts';
import { MemoryAlarm } from '../fakes/memory-alarm.ts';
import { MemoryBatchStore } from '../fakes/memory-batch-store.ts';
import { MemoryCallBudgets } from '../fakes/memory-call-budgets.ts';
import { MemoryClusters } from '../fakes/memory-clusters.ts';
import { MemoryConfigStore } from '../fakes/memory-config-store.ts';
import { MemoryGatewayLinks } from '../fakes/memory-gateway-links.ts';
import { MemoryGatewayStore } from '../fakes/memory-gateway-store.ts';
import { MemoryLeaseStore } from '../fakes/memory-lease-store.ts';
import { MemoryRecords } from '../fakes/memory-records.ts';
import { MemoryRenewalNotes } from '../fakes/memory-renewal-notes.ts';
import { VirtualClock } from '../fakes/virtual-clock.ts';

// The fakes of the model-based tests pass the contract of the real adapters; test/integration runs it on those.

describe('MemoryLeaseStore and MemoryConfigStore', () => {
  describeLeaseStore(openStores);
  describeRequestMemory(openStores);
  describeLeaseHistory(openStores);
  describeLeaseLimits(openStores);
  describeConfigStore(openStores);
});

function openStores(retentionMs: number, limits: LeaseLimits): Stores {
  const records = new MemoryRecords(Date.now);
  return {
    leases: new MemoryLeaseStore(records, retentionMs, limits),
    configs: new MemoryConfigStore(records),
    accessGoesIn: (id) => goesIn(records, id),
  };
}

async function goesIn(records: MemoryRecords, accessId: string): Promise<number | undefined> {
  const goneAt = records.access(accessId)?.goneAt;
  return goneAt === undefined ? undefined : goneAt - Date.now();
}

describe('MemoryBatchStore', () => describeBatchStore(() => new MemoryBatchStore(new MemoryRecords(Date.now))));

describe('MemoryCallBudgets', () => describeCallBudgets((rates) => new MemoryCallBudgets(Date.now, rates)));

describe('MemoryGatewayStore', () => describeGatewayStore(() => new MemoryGatewayStore()));

describe('MemoryGatewayLinks', () => {
  describeGatewayLinks(() => {
    const store = new MemoryGatewayStore();
    return { store, links: new MemoryGatewayLinks(store) };
  });
});

describe('quotas of the stores in memory', () => {
  describeQuotas((quotas) => {
    const records = new MemoryRecords(Date.now);
    const gateways = new MemoryGatewayStore(Date.now, quotas);
    return {
      configs: new MemoryConfigStore(records, quotas),
      leases: new MemoryLeaseStore(records, 0),
      gateways,
      links: new MemoryGatewayLinks(gateways, quotas),
      batches: new MemoryBatchStore(records, quotas),
      accessGoesIn: (id) => goesIn(records, id),
    };
  });
});

describe('MemoryRenewalNotes', () => describeRenewalNotes(() => new MemoryRenewalNotes()));

describe('MemoryAlarm', () => {
  describeAlarm(() => {
    const alarm = new MemoryAlarm();
    return {
      alarm,
      ringsAt: async (lease) => alarm.ringsAt(lease),
      batchWakings: async (batch) => (alarm.isAwakeFor(batch) ? 1 : 0),
    };
  });
});

describe('MemoryCluster', () => {
  describeCluster(openCluster);
  describeMarkedObjects(openCluster);
});

async function openCluster(): Promise<OpenCluster> {
  const namespace = 'one';
  const clusters = new MemoryClusters(Date.now);
  const { access } = sampleConfig('any');
  const server = clusters.server(access.url);
  server.add({ kind: 'ServiceAccount', namespace, name: 'reader' });
  return {
    cluster: clusters.at(access),
    namespace,
    role: 'view',
    outsider: {
      makeAccount: async (name) => server.add({ kind: 'ServiceAccount', namespace, name }).uid,
      async look(object) {
        const found = server.find(object);
        return found && { uid: found.uid, labels: found.labels, annotations: found.annotations };
      },
      async setFinalizers(object, finalizers) {
        const found = server.find(object);
        if (found) {
          server.setFinalizers(found, finalizers);
        }
      },
    },
  };
}

describe('VirtualClock', () => {
  test('wakes sleepers in order, each come to rest before the next, and jumps without waking them', async () => {
    const clock = new VirtualClock(1_000);
    const seen: [string, number][] = [];
    const note = async (name: string, ...naps: number[]) => {
      for (const nap of naps) {
        await clock.sleep(nap);
        seen.push([name, clock.now()]);
      }
    };
    void note('late', 30);
    void note('early', 10, 10);
    await clock.advance(15);
    expect(seen).toEqual([['early', 1_010]]);
    clock.jump(500);
    await clock.advance(15);
    expect(seen).toEqual([
      ['early', 1_010],
      ['early', 1_520],
      ['late', 1_530],
    ]);
  });

  test('ends a sleep whose patience ends', async () => {
    const patience = new AbortController();
    const sleeping = new VirtualClock(0).sleep(10, patience.signal);
    patience.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
  });
});
