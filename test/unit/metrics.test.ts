import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterAll, expect, test } from 'vitest';
import { countBreakerOpened } from '../../src/shared/telemetry/metrics.ts';

afterAll(() => metrics.disable());

test('what is counted reaches an SDK that starts after the counters are imported, as it does in the processes', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  metrics.setGlobalMeterProvider(provider);

  countBreakerOpened('https://cluster.example');
  countBreakerOpened('https://cluster.example');
  await provider.forceFlush();

  const [counter] = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  expect(counter?.descriptor.name).toBe('leasehold.cluster.breaker.opened');
  expect(counter?.dataPoints).toMatchObject([
    { value: 2, attributes: { 'server.address': 'https://cluster.example' } },
  ]);
  await provider.shutdown();
});
