import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { auditTo } from '../../src/server/audit.ts';
import { PermissionDenied } from '../../src/shared/domain/errors.ts';
import type { Principal } from '../../src/shared/domain/principal.ts';
import { asWorkOf, principalAttributes } from '../../src/shared/telemetry/current-caller.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';

// What one line of the log or one span holds of texts that a caller or its issuer chooses.

const KIB = 1024;

const GROUPS = Array.from({ length: 1_000 }, (_, index) => `corp:group-of-the-directory-${index}`);
const alice: Principal = { kind: 'jwt', id: 'alice', issuer: 'https://issuer.example', groups: ['admins', ...GROUPS] };
const WHO = { kind: 'jwt', id: 'alice', issuer: 'https://issuer.example', groupCount: 1_001 };

const Shown = z.object({ principal: z.object({ groups: z.array(z.string()) }).loose() });

let lines: string[];
let log: ReturnType<typeof createLogger>;
beforeEach(() => {
  lines = [];
  log = createLogger('test', 'info', { write: (line: string) => void lines.push(line) });
});

async function logAs(principal: Principal): Promise<void> {
  // biome-ignore lint/correctness/useYield: a call without messages.
  const steps = async function* (): AsyncGenerator<never, void, undefined> {
    log.info({ lease: 'lease' }, 'lease issued');
  };
  await asWorkOf(principal, steps()).next();
}

describe('of a caller with 1,001 groups', () => {
  test.each<[string, () => unknown]>([
    ['a line of its work', () => logAs(alice)],
    ['an audit event', () => auditTo(log)(event())],
    ['an audit event in its work', () => logAs(alice).then(() => void auditTo(log)(event()))],
    ['a line that tells of it', () => log.error({ principal: alice }, 'policies could not be asked: denied')],
  ])('%s says who it is, its first groups and how many there are', async (_name, write) => {
    await write();
    const line = lines.at(-1) ?? '';
    expect(line.length).toBeLessThan(2 * KIB);
    const { principal } = Shown.parse(JSON.parse(line));
    expect(principal).toMatchObject(WHO);
    expect(principal.groups[0]).toBe('admins');
  });

  test('so does a span', () => {
    const attributes = principalAttributes(alice);
    expect(JSON.stringify(attributes).length).toBeLessThan(2 * KIB);
    expect(attributes).toMatchObject({ 'leasehold.principal.id': 'alice', 'leasehold.principal.group_count': 1_001 });
  });
});

test('a caller with few groups is shown with all of them', async () => {
  await logAs({ ...alice, groups: ['admins', 'corp:staff'] });
  expect(Shown.parse(JSON.parse(lines[0] ?? '')).principal.groups).toEqual(['admins', 'corp:staff']);
});

test('groups with long names are fewer', async () => {
  await logAs({ ...alice, groups: GROUPS.map((group) => group.repeat(20)) });
  expect(lines[0]?.length).toBeLessThan(2 * KIB);
});

test('a line that names a principal by its text form keeps that', () => {
  log.info({ principal: 'apikey:ci' }, 'lease issued');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ principal: 'apikey:ci' });
});

const LONG = 'x'.repeat(200 * KIB);

test.each<[string, () => void]>([
  ['the message of an error', () => log.info({ err: new Error(LONG) }, 'call refused')],
  ['that of its cause', () => log.info({ err: new Error('outer', { cause: new Error(LONG) }) }, 'call refused')],
  ['the reason in an audit event', () => auditTo(log)({ ...event(), error: denied(LONG) })],
])('%s is cut short', (_name, write) => {
  write();
  expect(lines.at(-1)?.length).toBeLessThan(16 * KIB);
});

function denied(message: string): PermissionDenied {
  return new PermissionDenied('PERMISSION_DENIED', message);
}

function event() {
  const origin = { sourceIp: '192.0.2.1', transport: 'tls' } as const;
  return { principal: alice, action: 'IssueLease', origin, error: denied('no') };
}
