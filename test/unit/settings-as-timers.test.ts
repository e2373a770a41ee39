import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { startTimeoutMs } from '../../src/shared/redis/connect-redis.ts';
import { readSettings, Settings } from '../../src/shared/settings.ts';

// Node's timers hold 32 bits: one of more than 24.8 days ends at once.

const LONGEST_TIMER_S = 2_147_483;

/** Times that are compared with a clock, and never waited for by a timer. */
const COMPARED = [
  'LEASEHOLD_RETRY_INITIAL',
  'LEASEHOLD_RETRY_MAX',
  'LEASEHOLD_SETTLE_TIME',
  'LEASEHOLD_ENDED_RETENTION',
];

const IN_SECONDS = Object.entries(Settings.shape)
  .filter(([, setting]) => setting.description?.endsWith(', in seconds'))
  .map(([name]) => name);

const reading = (name: string, value: number) =>
  readSettings({ LEASEHOLD_SEAL_KEY: randomBytes(32).toString('base64'), [name]: String(value) });

test.each(IN_SECONDS.filter((name) => !COMPARED.includes(name)))('%s is refused where no timer could wait', (name) => {
  expect(() => reading(name, LONGEST_TIMER_S + 1)).toThrow(name);
  expect(() => reading(name, 30 * 86_400)).toThrow(name);
});

test.each(COMPARED)('%s may be a year', (name) => {
  expect(reading(name, 31_536_000)).toMatchObject({ [name]: 31_536_000 });
});

test('the time for which a stopping process waits may be a day', () => {
  expect(reading('LEASEHOLD_DRAIN_TIMEOUT', 86_400)).toMatchObject({ LEASEHOLD_DRAIN_TIMEOUT: 86_400 });
});

test.each([0.5, 1.4, 30.1])('a command to Redis has no deadline of %d s', (value) => {
  expect(() => reading('LEASEHOLD_REDIS_TIMEOUT', value)).toThrow('LEASEHOLD_REDIS_TIMEOUT');
});

test.each([1.5, 2, 10, 30])('a command to Redis may take %d s, also at the start', (value) => {
  const { LEASEHOLD_REDIS_TIMEOUT: timeout } = reading('LEASEHOLD_REDIS_TIMEOUT', value);
  expect(timeout).toBe(value);
  expect(startTimeoutMs(timeout * 1000)).toBeGreaterThan(timeout * 1000);
});
