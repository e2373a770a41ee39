import { metrics } from '@opentelemetry/api';

const meter = metrics.getMeter('leasehold');

const stalled = meter.createCounter('leasehold.leases.stalled', {
  description: 'Leases whose taking down has failed so often that somebody should look',
  unit: '{lease}',
});

const ended = meter.createCounter('leasehold.leases.ended', {
  description: 'Leases that have ended, by what they ended as, and whether an operator forced it',
  unit: '{lease}',
});

const swept = meter.createCounter('leasehold.sweep.found', {
  description: 'What the sweep found that the alarm clock had missed: overdue leases, orphans in clusters',
  unit: '{object}',
});

export function countStalled(config: string): void {
  stalled.add(1, { 'leasehold.config': config });
}

export function countEnded(state: string, forced: boolean): void {
  ended.add(1, { 'leasehold.lease.state': state, 'leasehold.lease.forced': forced });
}

export function countSwept(what: 'overdue lease' | 'orphan', count: number): void {
  swept.add(count, { 'leasehold.sweep.what': what });
}
