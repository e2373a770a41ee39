import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { redact } from '../domain/redact.ts';
import { currentCaller } from './current-caller.ts';

export type { Logger };

/**
 * JSON lines, to stdout unless told otherwise. Each carries the ids of the current trace and span, and the principal for whom the work is done. Errors are written
 * with their causes, and without anything that looks like a token.
 */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    mixin: context,
    serializers: { err: errorWithoutTokens, cause: errorWithoutTokens },
  };
  return destination ? pino(options, destination) : pino(options);
}

function context(): object {
  const span = trace.getActiveSpan()?.spanContext();
  const principal = currentCaller();
  return { ...(span ? { trace_id: span.traceId, span_id: span.spanId } : {}), ...(principal ? { principal } : {}) };
}

function errorWithoutTokens(error: Error): object {
  const { type, message, stack } = stdSerializers.err(error);
  return { type, message: redact(message), stack: stack === undefined ? undefined : redact(stack) };
}
