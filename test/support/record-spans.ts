import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-base';

export interface SpanRecorder {
  finished(): ReadableSpan[];
  stop(): Promise<void>;
}

type SpanListener = (span: ReadableSpan) => void;

const listeners = new Set<SpanListener>();

/** Keeps the spans of this process in memory. Call it before anything that traces is started. */
export function recordSpans(): SpanRecorder {
  const spans: ReadableSpan[] = [];
  const stop = onSpanEnd((span) => spans.push(span));
  return { finished: () => spans, stop: async () => stop() };
}

/** Tells of each span of this process that ends, until the returned function is called. */
export function onSpanEnd(listener: SpanListener): () => void {
  if (listeners.size === 0) {
    startTracing();
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      stopTracing();
    }
  };
}

/** OpenTelemetry takes one provider in a process, which cannot be given more processors later. */
function startTracing(): void {
  const processor = {
    onStart: () => undefined,
    onEnd(span: ReadableSpan) {
      for (const listener of listeners) {
        listener(span);
      }
    },
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

function stopTracing(): void {
  trace.disable();
  context.disable();
  propagation.disable();
}
