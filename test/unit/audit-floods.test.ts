import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type AuditEvent, type AuditLog, auditTo } from '../../src/server/audit.ts';
import {
  Aborted,
  AlreadyExists,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unauthenticated,
  Unavailable,
} from '../../src/shared/domain/errors.ts';
import type { Principal } from '../../src/shared/domain/principal.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { recordMetrics } from '../support/record-metrics.ts';

const FLOOD = 2_000;
const WINDOW_MS = 10_000;
const NOW = Date.parse('2030-01-01T00:00:00Z');

const Line = z.object({ msg: z.literal('audit'), audit: z.record(z.string(), z.unknown()) });
const Summary = z.object({
  count: z.number(),
  first: z.string(),
  last: z.string(),
  principals: z.record(z.string(), z.number()).optional(),
  sources: z.record(z.string(), z.number()),
  actions: z.record(z.string(), z.number()),
  resources: z.record(z.string(), z.number()).optional(),
  reasons: z.record(z.string(), z.number()),
});

const metrics = recordMetrics();
let lines: z.infer<typeof Line>['audit'][];
let audit: AuditLog;
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  lines = [];
  audit = auditTo(
    createLogger('test', 'info', { write: (line: string) => void lines.push(Line.parse(JSON.parse(line)).audit) }),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const single = () => lines.filter(({ summary }) => summary === undefined);
const summaries = () => lines.flatMap(({ summary }) => (summary === undefined ? [] : [Summary.parse(summary)]));
const total = () => single().length + summaries().reduce((sum, { count }) => sum + count, 0);

const invalid = new Unauthenticated('CREDENTIALS_INVALID', 'its signature is wrong');
const missing = new Unauthenticated('CREDENTIALS_MISSING', 'who calls?');
const caller = (id: string): Principal => ({ kind: 'api-key', id, issuer: 'leasehold', groups: [] });

function event(error: unknown, sourceIp = '192.0.2.1', more: Partial<AuditEvent> = {}): AuditEvent {
  return { principal: undefined, action: 'ListLeases', origin: { sourceIp, transport: 'tls' }, error, ...more };
}

function flood(eventOf: (index: number) => AuditEvent): void {
  for (let index = 0; index < FLOOD; index++) {
    audit(eventOf(index));
  }
}

describe('of calls without good credentials', () => {
  test('the first few have a line each, and the others one together at the end of the window', () => {
    flood(() => event(invalid));
    expect(lines).toHaveLength(5);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(lines).toHaveLength(6);
    expect(summaries()).toEqual([
      {
        count: FLOOD - 5,
        first: new Date(NOW).toISOString(),
        last: new Date(NOW).toISOString(),
        sources: { '192.0.2.1': FLOOD - 5 },
        actions: { ListLeases: FLOOD - 5 },
        reasons: { CREDENTIALS_INVALID: FLOOD - 5 },
      },
    ]);
  });

  test.each<[string, (index: number) => AuditEvent]>([
    ['one address', () => event(invalid)],
    ['many IPv4 addresses', (index) => event(invalid, `198.18.${index % 250}.${index % 251}`)],
    ['the addresses of one /64', (index) => event(invalid, `2001:db8::${index.toString(16)}`)],
    ['many IPv6 networks', (index) => event(invalid, `2001:db8:${index.toString(16)}::1`)],
    ['an address that is not known', () => event(invalid, '')],
    ['all reasons', (index) => event(index % 2 ? invalid : missing)],
    ['an issuer that is away', () => event(new Unavailable('ISSUER_UNREACHABLE', 'away'))],
    ['a fault', () => event(new TypeError('internal'))],
    ['many actions', (index) => event(invalid, '192.0.2.1', { action: `Rpc${index}` })],
  ])('a flood of %s is bounded, and its count is whole', (_name, eventOf) => {
    flood(eventOf);
    expect(lines.length).toBeLessThanOrEqual(100);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(lines.length).toBeLessThanOrEqual(101);
    expect(Math.max(...lines.map((line) => JSON.stringify(line).length))).toBeLessThan(4_096);
    expect(total()).toBe(FLOOD);
  });

  test('what one address does hides no line of another', () => {
    flood(() => event(invalid));
    audit(event(missing, '192.0.2.2'));
    expect(lines.at(-1)).toMatchObject({ sourceIp: '192.0.2.2', code: 'UNAUTHENTICATED' });
  });

  test('a flood that goes on has its lines in each window', () => {
    for (let window = 1; window <= 3; window++) {
      flood(() => event(invalid));
      vi.advanceTimersByTime(WINDOW_MS);
      expect(lines).toHaveLength(6 * window);
    }
    expect(total()).toBe(3 * FLOOD);
  });

  test('what is still to be summed up is written at the end of the process', () => {
    flood(() => event(invalid));
    audit.close();
    expect(total()).toBe(FLOOD);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(lines).toHaveLength(6);
  });

  test('a counter has all of them, by reason', async () => {
    const before = await countOf('CREDENTIALS_MISSING');
    flood(() => event(missing));
    expect((await countOf('CREDENTIALS_MISSING')) - before).toBe(FLOOD);
  });
});

async function countOf(reason: string): Promise<number> {
  vi.useRealTimers();
  const points = await metrics.of('leasehold.calls.refused');
  const point = points.find(
    ({ attributes }) => 'leasehold.reason' in attributes && attributes['leasehold.reason'] === reason,
  );
  return Number(point?.value ?? 0);
}

describe('of a known caller', () => {
  const as = (principal: Principal, error: unknown, action = 'IssueLease') =>
    event(error, '192.0.2.1', { principal, action });
  const alice = caller('alice');

  test.each<[string, () => unknown]>([
    [
      'too many calls',
      () => new ResourceExhausted('TOO_MANY_CALLS', 'too many', { subject: 'principal:apikey:alice', retryAfterMs: 1 }),
    ],
    ['calls that are not permitted', () => new PermissionDenied('PERMISSION_DENIED', 'no')],
    ['bad requests', () => new InvalidArgument([{ field: 'config', description: 'is missing' }])],
    ['calls for what is not there', () => new NotFound('lease', randomUUID())],
  ])('%s are summed up', (_name, errorOf) => {
    flood(() => as(alice, errorOf()));
    vi.advanceTimersByTime(WINDOW_MS);
    expect(lines).toHaveLength(6);
    expect(summaries()[0]?.principals).toEqual({ 'apikey:alice': FLOOD - 5 });
    expect(total()).toBe(FLOOD);
  });

  test('a flood hides no refusal of another caller, nor of another action', () => {
    const denied = new PermissionDenied('PERMISSION_DENIED', 'no');
    flood(() => as(alice, denied));
    flood(() => event(invalid));
    audit(as(caller('bob'), denied));
    audit(as(alice, denied, 'RevokeLease'));
    expect(lines.slice(-2)).toMatchObject([{ action: 'IssueLease' }, { action: 'RevokeLease' }]);
  });

  const denied = new PermissionDenied('PERMISSION_DENIED', 'no');
  const lease = (name: string) => ({ resource: { kind: 'any', of: 'lease', name } as const });

  test('what hides behind refusals of other leases has a line, and the summary names its lease', () => {
    for (let index = 0; index < 5; index++) {
      audit({ ...as(alice, denied, 'RevokeLease'), ...lease('dummy') });
    }
    audit({ ...as(alice, denied, 'RevokeLease'), ...lease('target') });
    expect(lines.at(-1)).toMatchObject({ action: 'RevokeLease', lease: 'target' });
    for (let index = 0; index < 5; index++) {
      audit({ ...as(alice, denied, 'RevokeLease'), ...lease('target') });
    }
    audit.close();
    expect(summaries()).toMatchObject([{ count: 1, resources: { 'lease/target': 1 } }]);
  });

  test.each<[string, (index: number) => AuditEvent]>([
    ['actions', (index) => as(alice, denied, `Rpc${index}`)],
    ['leases', (index) => ({ ...as(alice, denied, 'RevokeLease'), ...lease(`lease-${index}`) })],
    ['reasons', (index) => as(alice, [denied, new NotFound('lease', '1')][index % 2], `Rpc${index}`)],
  ])('who is refused for many %s has a few lines, and takes none from others', (_name, eventOf) => {
    flood(eventOf);
    expect(lines).toHaveLength(20);
    audit(as(caller('bob'), denied));
    expect(lines).toHaveLength(21);
    vi.advanceTimersByTime(WINDOW_MS);
    expect(total()).toBe(FLOOD + 1);
    expect(JSON.stringify(lines.at(-1)).length).toBeLessThan(4_096);
  });

  test('many callers together have a bounded number of lines', () => {
    flood((index) => as(caller(`name-${index}`), denied));
    expect(lines).toHaveLength(500);
  });

  const taken = new AlreadyExists('CONFIG_NAME_TAKEN', 'there is one');
  const full = new ResourceExhausted('STORE_ALMOST_FULL', 'full', { subject: 'store', retryAfterMs: 1 });

  test.each<[string, string, unknown, boolean]>([
    ['name that is taken', 'CreateConfig', taken, true],
    ['full store', 'CreateConfig', full, true],
    ['full store', 'UpdateConfig', full, true],
    ['full store', 'IssueLease', full, false],
    [
      'rate of trials',
      'CreateConfig',
      new ResourceExhausted('TRIAL_RATE_EXCEEDED', 'too many', { subject: 'principal:apikey:alice', retryAfterMs: 1 }),
      false,
    ],
  ])('for a %s, %s may have made objects in a cluster or not: that decides whether each has a line', (...row) => {
    const [, action, error, hasLine] = row;
    flood(() => as(alice, error, action));
    expect(single()).toHaveLength(hasLine ? FLOOD : 5);
  });

  test.each<[string, unknown]>([
    ['succeeds', undefined],
    ['may have had an effect', new Aborted('LEASE_CHANGED', 'the lease changed meanwhile')],
    ['failed inside', new TypeError('internal')],
  ])('each call that %s has its line', (_name, error) => {
    flood(() => as(alice, error));
    expect(single()).toHaveLength(FLOOD);
  });
});
