import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_ERROR_BYTES, sizeOf, withinBudget } from '../../src/server/middleware/error-budget.ts';
import { statusOf } from '../../src/server/middleware/status-of.ts';
import {
  ClusterAddressNotAllowed,
  type ClusterCall,
  ClusterNotCalled,
  ClusterNotDone,
  ClusterNotTrusted,
  ClusterRefused,
  ClusterUnreachable,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
} from '../../src/shared/domain/cluster-error.ts';
import * as errors from '../../src/shared/domain/errors.ts';
import { listed, shorten } from '../../src/shared/domain/shorten.ts';

// Errors go into headers, of which clients take 8 KiB.

/** Long, odd, and of many bytes a character; also halves of a character. */
const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc
    .tuple(
      fc.constantFrom('x', '網', 'é', '🚀', '%', '"', '\n', '\0', '\uD800', 'a, '),
      fc.integer({ min: 0, max: 4_000 }),
    )
    .map(([part, count]) => part.repeat(count)),
);
const call: fc.Arbitrary<ClusterCall> = fc.record({
  verb: fc.constantFrom('get', 'list', 'create', 'delete'),
  apiGroup: fc.constant(''),
  resource: text,
  subresource: text,
  namespace: text,
  name: text,
});
const refusal = fc.record({
  status: fc.integer({ min: 300, max: 599 }),
  message: text,
  reason: text,
  objectName: text,
  retryAfterMs: fc.constantFrom(undefined, 5_000),
});
const violations = fc.array(fc.record({ field: text, description: text }), { maxLength: 40 });

const anyError: fc.Arbitrary<errors.LeaseholdError> = fc.oneof(
  violations.map((all) => new errors.InvalidArgument(all)),
  text.map((name) => new errors.NotFound('config', name)),
  text.map((name) => new errors.RecordDamaged('lease', name)),
  text.map((message) => new errors.AlreadyExists('CONFIG_NAME_TAKEN', message)),
  text.map((message) => new errors.FailedPrecondition('CONFIG_HAS_LIVE_LEASES', message)),
  text.map((message) => new errors.Unauthenticated('CREDENTIALS_INVALID', message)),
  text.map((message) => new errors.PermissionDenied('PERMISSION_DENIED', message)),
  text.map((message) => new errors.Aborted('LEASE_CHANGED', message)),
  text.map((message) => new errors.DataLoss('STORED_SECRET_DAMAGED', message)),
  text.map((message) => new errors.Unavailable('STORE_UNAVAILABLE', message)),
  fc
    .tuple(text, text)
    .map(
      ([message, subject]) =>
        new errors.ResourceExhausted('TOO_MANY_LEASES_OF_PRINCIPAL', message, { subject, retryAfterMs: 1.5 }),
    ),
  fc.tuple(call, refusal).map(([about, why]) => new ClusterRefused(about, why)),
  fc.tuple(call, text).map(([about, why]) => new ClusterUnreachable(about, why)),
  fc.tuple(call, text).map(([about, why]) => new ClusterNotCalled(about, why)),
  fc.tuple(call, text).map(([about, why]) => new ClusterNotDone(about, why)),
  fc.tuple(call, text).map(([about, why]) => new ClusterNotTrusted(about, why)),
  fc.tuple(call, text).map(([about, why]) => new ClusterAddressNotAllowed(about, why)),
  fc.tuple(call, text).map(([about, why]) => new GatewayLost(about, why)),
  fc.tuple(call, text).map(([about, gateway]) => new GatewayNotConnected(about, gateway)),
  fc.tuple(call, text, text).map(([about, gateway, why]) => new GatewayRefused(about, gateway, why)),
);

test('every error fits, and keeps its code, its reason and well-formed text', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(anyError, (error) => {
      const { code, details: message, extra } = statusOf(error);
      const details = extra as Parameters<typeof sizeOf>[0]['details'];
      expect(sizeOf({ message, details })).toBeLessThanOrEqual(MAX_ERROR_BYTES);
      expect(message.isWellFormed()).toBe(true);
      // What grpc-js does with it.
      expect(() => encodeURI(message)).not.toThrow();
      expect(code).toBeGreaterThan(0);
      const isOfRequest = error instanceof errors.InvalidArgument;
      expect(details[0]?.$type).toBe(isOfRequest ? 'google.rpc.BadRequest' : 'google.rpc.ErrorInfo');
      if (details[0]?.$type === 'google.rpc.ErrorInfo') {
        expect(details[0].reason).toMatch(/^[A-Z_]+$/);
      }
    }),
    { numRuns: 500 },
  );
});

test('an error of ordinary length is told as it is', () => {
  const error = new errors.InvalidArgument([{ field: 'ttl', description: 'é'.repeat(300) }]);
  const { details: message, extra } = statusOf(error);
  expect(message).toBe(error.message);
  expect(extra).toMatchObject([{ fieldViolations: [{ field: 'ttl', description: 'é'.repeat(300) }] }]);
});

test('a status without details is cut as well, and stays as it is where it fits', () => {
  expect(withinBudget({ message: 'x'.repeat(2_500), details: [] }).message).toHaveLength(2_500);
  const { message } = withinBudget({ message: '網'.repeat(100_000), details: [] });
  expect(message).toMatch(/^網{100,}\.\.\.$/);
});

test('many violations are told with their count', () => {
  const all = Array.from({ length: 64 }, (_, number) => ({ field: `f${number}`, description: 'is wrong' }));
  const error = new errors.InvalidArgument(all);
  expect(error.message).toMatch(/f15: is wrong; and 48 more$/);
  expect(error.violations).toHaveLength(16);
});

test.each([
  [['a', 'b'], 'a, b'],
  [[], ''],
  [Array.from({ length: 64 }, (_, number) => `n${number}`), /^n0, .*, n15 and 48 more$/],
  [Array.from({ length: 5 }, () => 'x'.repeat(300)), /^(?:x{197}\.\.\.(?:, )?){4} and 1 more$/],
])('a list of names: %#', (items, expected) => {
  expect(listed(items)).toMatch(expected);
});

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, '...'],
  ['abcdef', 5, 'ab...'],
  ['🚀🚀🚀', 5, '🚀...'],
  ['a🚀🚀🚀', 5, 'a...'],
  ['\uD800', 5, '\uFFFD'],
])('%s in %i characters', (whole, max, short) => {
  expect(shorten(whole, max)).toBe(short);
});
