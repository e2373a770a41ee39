import { NodeSDK } from '@opentelemetry/sdk-node';

/** Any of these says that somebody wants traces or metrics (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). */
const SWITCHES = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
  'OTEL_TRACES_EXPORTER',
  'OTEL_METRICS_EXPORTER',
];

/**
 * Starts the OpenTelemetry SDK where the standard OTEL_* variables ask for it; they also configure it. Returns what
 * sends the last of them and ends it.
 */
export function startTelemetry(serviceName: string): () => Promise<void> {
  if (!SWITCHES.some((name) => process.env[name])) {
    return async () => undefined;
  }
  const sdk = new NodeSDK({ serviceName, instrumentations: [] });
  sdk.start();
  return () => sdk.shutdown();
}
