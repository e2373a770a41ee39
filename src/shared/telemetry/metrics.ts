import { type Counter, type Gauge, type MetricOptions, metrics, type UpDownCounter } from '@opentelemetry/api';

const countStalledBy = counter('leasehold.leases.stalled', {
  description: 'Leases whose taking down has failed so often that somebody should look',
  unit: '{lease}',
});

const countEndedBy = counter('leasehold.leases.ended', {
  description: 'Leases that have ended, by what they ended as, and whether an operator forced it',
  unit: '{lease}',
});

const countSweptBy = counter('leasehold.sweep.found', {
  description: 'What the sweep found that the alarm clock had missed: overdue leases, orphans in clusters',
  unit: '{object}',
});

const countTurnedAwayBy = counter('leasehold.worker.turned_away', {
  description:
    'Alarms that found no place in the worker, because their config, principal or cluster held its share, by config',
  unit: '{alarm}',
});

const countBreakerOpenedBy = counter('leasehold.cluster.breaker.opened', {
  description: 'Times that calls to a cluster kept failing, so that it was given a rest',
  unit: '{time}',
});

const countRewrappedBy = counter('leasehold.keys.rewrapped', {
  description: 'Accesses of configs that were brought under the primary key of the keyring',
  unit: '{access}',
});

const countTokenRenewalBy = counter('leasehold.cluster.token.renewals', {
  description: 'Tries to renew the cluster token of a config (renew_token), by what became of them',
  unit: '{try}',
});

const countStoreRefusedBy = counter('leasehold.store.refused', {
  description: 'Writes that Redis refused because its memory is used up, or it is read-only, by its word for why',
  unit: '{write}',
});

const countRefusedBy = counter('leasehold.calls.refused', {
  description: 'Calls that were refused for who calls, what they may do, or how much they ask for, by reason',
  unit: '{call}',
});

export function countRefused(reason: string): void {
  countRefusedBy(1, { 'leasehold.reason': reason });
}

export function countStoreRefused(code: string): void {
  countStoreRefusedBy(1, { 'leasehold.store.refusal': code });
}

const recordClockOffsetBy = gauge('leasehold.clock.offset', {
  description: 'How far a clock is ahead of that of Redis, by which leases end; below zero where it is behind',
  unit: 's',
});

/** How far a clock is ahead of that of Redis, by which leases end: of this process, or of the API server of a cluster. */
export function recordClockOffset(aheadMs: number, of: 'process' | { cluster: string }): void {
  const attributes =
    of === 'process'
      ? { 'leasehold.clock': 'process' }
      : { 'leasehold.clock': 'api-server', 'server.address': of.cluster };
  recordClockOffsetBy(aheadMs / 1000, attributes);
}

const recordStoreUsed = gauge('leasehold.store.memory.used', {
  description: 'Memory that Redis uses, as its own limit counts it',
  unit: 'By',
});

const recordStoreReserved = gauge('leasehold.store.memory.reserved', {
  description: 'Memory of Redis that taking down the leases that live may need besides',
  unit: 'By',
});

const recordStoreLimit = gauge('leasehold.store.memory.limit', {
  description: 'Memory that Redis may use: maxmemory, or LEASEHOLD_REDIS_MAX_MEMORY where that is less',
  unit: 'By',
});

const recordStoreAlmostFull = gauge('leasehold.store.almost_full', {
  description: '1 while Redis is above the high-water mark and nothing is issued or created, else 0',
  unit: '1',
});

/** The memory of Redis as its limit counts it, in bytes, and whether it is above the high-water mark. */
export function recordStoreMemory(
  { used, reserved, limit }: { used: number; reserved: number; limit: number | undefined },
  isAlmostFull: boolean,
): void {
  recordStoreUsed(used);
  recordStoreReserved(reserved);
  if (limit !== undefined) {
    recordStoreLimit(limit);
  }
  recordStoreAlmostFull(isAlmostFull ? 1 : 0);
}

let attached: UpDownCounter | undefined;

/** `change`: 1 or -1. */
export function countAttached(gateway: string, change: number): void {
  attached ??= metrics.getMeter('leasehold').createUpDownCounter('leasehold.gateway.attached', {
    description: "Agents whose streams end at this server, by their gateway's name",
    unit: '{agent}',
  });
  attached.add(change, { 'leasehold.gateway': gateway });
}

const countDialBy = counter('leasehold.gateway.dials', {
  description: 'Connections that were wanted through gateways, by what became of them',
  unit: '{connection}',
});

export function countDial(gateway: string, outcome: string): void {
  countDialBy(1, { 'leasehold.gateway': gateway, 'leasehold.gateway.outcome': outcome });
}

export function countTokenRenewal(config: string, outcome: 'renewed' | 'failed'): void {
  countTokenRenewalBy(1, { 'leasehold.config': config, 'leasehold.renewal.outcome': outcome });
}

export function countRewrapped(count: number): void {
  countRewrappedBy(count);
}

export function countStalled(config: string): void {
  countStalledBy(1, { 'leasehold.config': config });
}

export function countEnded(state: string, forced: boolean): void {
  countEndedBy(1, { 'leasehold.lease.state': state, 'leasehold.lease.forced': forced });
}

export function countSwept(what: 'overdue lease' | 'orphan', count: number): void {
  countSweptBy(count, { 'leasehold.sweep.what': what });
}

export function countTurnedAway(config: string): void {
  countTurnedAwayBy(1, { 'leasehold.config': config });
}

/** Made at its first use: unlike a tracer, a meter that was asked for before the SDK started counts nothing. */
function counter(name: string, options: MetricOptions): Counter['add'] {
  let made: Counter | undefined;
  return (...args) => {
    made ??= metrics.getMeter('leasehold').createCounter(name, options);
    made.add(...args);
  };
}

/** The same. */
function gauge(name: string, options: MetricOptions): Gauge['record'] {
  let made: Gauge | undefined;
  return (...args) => {
    made ??= metrics.getMeter('leasehold').createGauge(name, options);
    made.record(...args);
  };
}

export function countBreakerOpened(url: string): void {
  countBreakerOpenedBy(1, { 'server.address': url });
}
