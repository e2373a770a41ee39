import type { Ports } from '../../src/shared/ports/ports.ts';
import { POLICY } from '../model/policy.ts';
import { MemoryAlarm } from './memory-alarm.ts';
import { MemoryBatchStore } from './memory-batch-store.ts';
import { MemoryCallBudgets } from './memory-call-budgets.ts';
import { MemoryClusters } from './memory-clusters.ts';
import { MemoryConfigStore } from './memory-config-store.ts';
import { MemoryGatewayLinks } from './memory-gateway-links.ts';
import { MemoryGatewayStore } from './memory-gateway-store.ts';
import { MemoryLeaseStore } from './memory-lease-store.ts';
import { MemoryRecords } from './memory-records.ts';
import { MemoryRenewalNotes } from './memory-renewal-notes.ts';

export const INSTALLATION = 'test';
const DAY_MS = 86_400_000;

/** All ports in memory, on which nobody waits: each sleep is over at once. */
export function memoryPorts(now: () => number = Date.now) {
  const records = new MemoryRecords(now);
  const gateways = new MemoryGatewayStore(now);
  return {
    configs: new MemoryConfigStore(records),
    leases: new MemoryLeaseStore(records, DAY_MS),
    batches: new MemoryBatchStore(records),
    callBudgets: new MemoryCallBudgets(now),
    gateways,
    gatewayLinks: new MemoryGatewayLinks(gateways),
    renewalNotes: new MemoryRenewalNotes(),
    alarm: new MemoryAlarm(),
    clusters: new MemoryClusters(Date.now),
    log: { info() {}, warn() {} },
    clock: { now, sleep: async () => undefined },
    random: Math.random,
    policy: POLICY,
    installation: INSTALLATION,
  } satisfies Ports;
}
