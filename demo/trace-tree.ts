import type { ReceivedSpan } from './trace-collector.ts';

/** The lines of a span and all below it: name, how long after the root it began, how long it took. */
export function traceTree(root: ReceivedSpan, spans: readonly ReceivedSpan[]): string[] {
  return subtree(root, spans, root.startTimeUnixNano, '');
}

function subtree(span: ReceivedSpan, spans: readonly ReceivedSpan[], origin: bigint, indent: string): string[] {
  const children = spans
    .filter(({ parentSpanId }) => parentSpanId === span.spanId)
    .sort((a, b) => Number(a.startTimeUnixNano - b.startTimeUnixNano));
  const label = `${indent}${span.name}`.padEnd(48);
  const began = `+${milliseconds(span.startTimeUnixNano - origin)} ms`.padStart(11);
  const took = `${milliseconds(span.endTimeUnixNano - span.startTimeUnixNano)} ms`.padStart(10);
  return [
    `${label}${began}${took}  ${span.service}`,
    ...children.flatMap((child) => subtree(child, spans, origin, `${indent}  `)),
  ];
}

function milliseconds(nanoseconds: bigint): string {
  return (Number(nanoseconds) / 1_000_000).toFixed(1);
}

/** The span that takes the lease down, in a trace of its own. */
export function endingOf(leaseId: string, spans: readonly ReceivedSpan[]): ReceivedSpan | undefined {
  return spans.find(
    ({ name, attributes }) =>
      name === 'lease.revoke' &&
      attributes.some(({ key, value }) => key === 'leasehold.lease.id' && value['stringValue'] === leaseId),
  );
}
