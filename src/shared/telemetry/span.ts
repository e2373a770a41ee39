import {
  type Attributes,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { shorten } from '../domain/shorten.ts';
import { currentCaller, principalAttributes } from './current-caller.ts';

/** Characters of why a span failed. */
const MAX_MESSAGE = 1_024;

const tracer = trace.getTracer('leasehold');

/** Runs `work` in a span that is a child of the current one, and marks it failed where `work` throws. */
export function inSpan<T>(
  name: string,
  options: { attributes?: Attributes; links?: Link[] },
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const attributes = { ...principalAttributes(currentCaller()), ...options.attributes };
  return tracer.startActiveSpan(name, { ...options, attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: shorten(error instanceof Error ? error.message : String(error), MAX_MESSAGE),
      });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The current span as a W3C traceparent; undefined while nothing traces. */
export function currentTraceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/** A link to the span that `traceparent` names: a later event belongs to it without being part of its trace. */
export function linkTo(traceparent: string | undefined): Link[] {
  const spanContext = traceparent
    ? trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }))
    : undefined;
  return spanContext ? [{ context: spanContext }] : [];
}
