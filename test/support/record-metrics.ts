import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';

/** Keeps what this process counts. Call it before anything is counted: a counter stays with the meter of its first use. */
export function recordMetrics() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  metrics.setGlobalMeterProvider(provider);
  return {
    async of(name: string): Promise<{ value: unknown; attributes: object }[]> {
      await provider.forceFlush();
      const last =
        exporter
          .getMetrics()
          .at(-1)
          ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
      const points = last.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
      return (points as DataPoint<unknown>[]).map(({ value, attributes }) => ({ value, attributes }));
    },
    async stop() {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
