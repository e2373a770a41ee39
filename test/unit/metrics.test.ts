import { afterAll, expect, test } from 'vitest';
import { countBreakerOpened } from '../../src/shared/telemetry/metrics.ts';
import { recordMetrics } from '../support/record-metrics.ts';

const counted = recordMetrics();
afterAll(() => counted.stop());

test('what is counted reaches an SDK that starts after the counters are imported, as it does in the processes', async () => {
  countBreakerOpened('https://cluster.example');
  countBreakerOpened('https://cluster.example');
  expect(await counted.of('leasehold.cluster.breaker.opened')).toEqual([
    { value: 2, attributes: { 'server.address': 'https://cluster.example' } },
  ]);
});
