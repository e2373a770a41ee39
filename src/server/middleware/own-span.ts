import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type ServerError, Status } from 'nice-grpc-common';

const tracer = trace.getTracer('leasehold');

interface Refused {
  error: ServerError;
  /** Whether the audit log has a line for it. */
  isTold: boolean;
}

/**
 * Runs `refuse` in a span of its own, as of an RPC that failed. The trace that a client names is that of a caller who
 * is known, and this one is not: what it sends as its trace context is not looked at. A span that does not end is not
 * exported: only refusals that have a line of the audit log have one, so that a flood of them does not fill the store
 * of traces.
 */
export function inOwnSpan(path: string, refuse: () => Refused): ServerError {
  const [, service = '', method = ''] = path.split('/');
  const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
  const span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, root: true, attributes }, ROOT_CONTEXT);
  const { error, isTold } = context.with(trace.setSpan(ROOT_CONTEXT, span), refuse);
  if (!isTold) {
    return error;
  }
  span.setAttribute('rpc.grpc.status_code', error.code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: `${Status[error.code]}: ${error.details}` });
  span.end();
  return error;
}
