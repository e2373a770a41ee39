import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { recordSpans, type SpanRecorder } from '../support/record-spans.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// One issuance is one trace; its end is a span of its own that is linked to it.

let spans: SpanRecorder;
let world: World;
let dynamic: DynamicSetup;
beforeAll(async () => {
  spans = recordSpans();
  world = await openWorld();
  dynamic = await setUpDynamic(world, 'dynamic');
  await world.configs.createConfig({ config: dynamic.config });
});
afterAll(async () => {
  await world.stop();
  await spans.stop();
});

const RPC = 'leasehold.v1.LeaseService';

/** The span of the RPC that issued a lease: the lease's account is named by no other. */
function issuanceOf(leaseId: string): ReadableSpan {
  const revocation = revocationOf(leaseId);
  const linked = revocation?.links[0]?.context.spanId;
  const issuance = spans.finished().find((span) => span.spanContext().spanId === linked);
  if (!issuance) {
    throw new Error(`no span of the issuance of ${leaseId}`);
  }
  return issuance;
}

function revocationOf(leaseId: string): ReadableSpan | undefined {
  return spans
    .finished()
    .find(({ name, attributes }) => name === 'lease.revoke' && attributes['leasehold.lease.id'] === leaseId);
}

function childrenOf(parent: ReadableSpan): ReadableSpan[] {
  return spans
    .finished()
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent.spanContext().spanId)
    .sort((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
}

const names = (list: ReadableSpan[]) => list.map(({ name }) => name);

test('an issuance is one trace, in the order of the plan, and its expiry is linked to it', async () => {
  // The first one on a config learns that its token may not look at the namespace.
  await world.leases.issueLease({ config: 'dynamic' });
  const { lease } = await issueBriefly(world, 'dynamic');
  const id = lease?.id ?? '';
  const expiry = await eventually(async () => {
    const span = revocationOf(id);
    expect(span).toBeDefined();
    return span as ReadableSpan;
  });
  const issuance = issuanceOf(id);
  const steps = childrenOf(issuance);

  expect(issuance.name).toBe(`${RPC}/IssueLease`);
  expect(names(steps).slice(0, 2)).toEqual(['lease.record', 'kubernetes create serviceaccounts']);
  expect(names(steps).slice(2, 4).sort()).toEqual([
    'kubernetes create rolebindings',
    'kubernetes create serviceaccounts/token',
  ]);
  expect(names(steps).slice(4)).toEqual(['lease.activate']);
  expect(new Set(steps.map((span) => span.spanContext().traceId)).size).toBe(1);
  expect(steps[1]?.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.response.status_code': 201,
    'k8s.namespace.name': dynamic.namespaces[0],
  });

  expect(expiry.spanContext().traceId).not.toBe(issuance.spanContext().traceId);
  expect(expiry.parentSpanContext).toBeUndefined();
  expect(expiry.attributes).toMatchObject({ 'leasehold.config': 'dynamic', 'leasehold.lease.state': 'EXPIRED' });
  expect(names(childrenOf(expiry)).sort()).toEqual([
    'kubernetes delete rolebindings',
    'kubernetes delete serviceaccounts',
  ]);
});

test('a revocation is part of its call, and linked to the issuance', async () => {
  const { lease } = await world.leases.issueLease({ config: 'dynamic' });
  const id = lease?.id ?? '';
  await world.leases.revokeLease({ id });
  const revocation = revocationOf(id);
  const call = spans.finished().find((span) => span.spanContext().spanId === revocation?.parentSpanContext?.spanId);

  expect(call?.name).toBe(`${RPC}/RevokeLease`);
  expect(issuanceOf(id).name).toBe(`${RPC}/IssueLease`);
});

test('a failure is seen where it happened, and so is its undoing', async () => {
  const lost = await setUpDynamic(world, 'lost');
  await world.configs.createConfig({ config: lost.config });
  await world.admin.rbac.deleteClusterRole({ name: lost.role });
  await rejectionOf(world.leases.issueLease({ config: 'lost' }));
  const [lease] = (await world.leases.listLeases({ config: 'lost' })).leases;
  const issuance = issuanceOf(lease?.id ?? '');
  const failed = childrenOf(issuance).filter(({ status }) => status.code === SpanStatusCode.ERROR);

  expect(issuance.status.code).toBe(SpanStatusCode.ERROR);
  expect(names(failed)).toEqual(['kubernetes create rolebindings']);
  expect(names(childrenOf(issuance))).toContain('lease.revoke');
});
