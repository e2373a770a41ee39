import { afterAll, beforeEach, expect, test } from 'vitest';
import { ClusterClockDiffers } from '../../src/shared/domain/cluster-error.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { ClusterClock } from '../../src/shared/kubernetes/cluster-clock.ts';
import { keepLog } from '../support/keep-log.ts';
import { recordMetrics } from '../support/record-metrics.ts';

const CLUSTER = 'https://cluster.example';
const CALL = { verb: 'create', apiGroup: '', resource: 'serviceaccounts', subresource: 'token' } as const;
const HOUR_MS = 3_600_000;
const OPAQUE = new Secret('a token that says nothing of itself');

const counted = recordMetrics();
afterAll(() => counted.stop());

let now: number;
let lines: string[];
let clock: ClusterClock;
beforeEach(() => {
  now = Date.UTC(2030, 0, 1);
  const kept = keepLog();
  lines = kept.lines;
  clock = new ClusterClock(CLUSTER, () => now, kept.log);
});

const inWords = (aheadMs: number) => new Date(now + aheadMs).toUTCString();

/** An answer after 50 ms, with that Date. */
function answer(date: string | undefined) {
  const sentAt = now;
  now += 50;
  clock.heardDate(date, { sentAt, answeredAt: now });
}

/** A token that was minted by a clock that is so far ahead. */
function jwt(aheadMs: number): Secret {
  const payload = Buffer.from(JSON.stringify({ iat: Math.floor((now + aheadMs) / 1000) })).toString('base64url');
  return new Secret(`e30.${payload}.e30`);
}

const said = () => lines.filter((line) => line.includes('the clock of the API server'));
const ahead = (token: Secret, assumedAheadMs = 0) =>
  clock.heardToken(token, now + assumedAheadMs, { sentAt: now, answeredAt: now + 50 });

test.each<[what: string, dates: (index: number) => string | undefined]>([
  ['one that stands still', () => 'Tue, 15 Nov 1994 08:12:31 GMT'],
  ['none', () => undefined],
  ['one that is none', () => 'soon'],
  ['a single odd one', (index) => inWords(index === 5 ? HOUR_MS : 0)],
  ['ones that contradict each other', (index) => inWords(index % 2 ? HOUR_MS : -HOUR_MS)],
])('Date proves nothing where it is %s', (_, dates) => {
  for (let index = 0; index < 20; index++) {
    answer(dates(index));
    now += 1_000;
  }
  expect(said()).toEqual([]);
  expect(clock.wasOff).toBe(false);
});

test('a Date that goes on to agree with itself is told of, once, and once when it is right; it refuses nothing', async () => {
  for (const aheadMs of [-HOUR_MS, 0]) {
    for (let index = 0; index < 70; index++) {
      answer(inWords(aheadMs));
      now += 1_000;
    }
  }
  expect(said()).toEqual([
    expect.stringMatching(/is 36\d\d s behind that of Redis|is 3599 s behind that of Redis/),
    expect.stringContaining('is right again'),
  ]);
  expect(clock.wasOff).toBe(false);
  expect(await counted.of('leasehold.clock.offset')).toContainEqual({
    value: 0,
    attributes: { 'leasehold.clock': 'api-server', 'server.address': CLUSTER },
  });
});

test.each([-HOUR_MS, HOUR_MS, -31_500, 31_500])(
  'a token that was made %d ms ahead counts, whatever Date says',
  (aheadMs) => {
    answer(inWords(0));
    const found = ahead(jwt(aheadMs));
    expect(Math.abs(found - aheadMs)).toBeLessThanOrEqual(1_050);
    expect(() => clock.require(CALL, found)).toThrow(ClusterClockDiffers);
    expect(clock.wasOff).toBe(true);
    // Its latest answer says that it is right by now: that is to be tried.
    expect(() => clock.requireSetSince(CALL, 0)).not.toThrow();
  },
);

test.each([1e306, 253_402_300_800, -1, 0])(
  'a token that says it was made at %d s does not say when it was made',
  (iat) => {
    const payload = Buffer.from(JSON.stringify({ iat })).toString('base64url');
    expect(ahead(new Secret(`e30.${payload}.e30`))).toBe(0);
    expect(said()).toEqual([]);
  },
);

test.each([0, 400, -900])('what a second and the way leave open counts as none: %d ms', (aheadMs) => {
  expect(ahead(jwt(aheadMs))).toBe(0);
});

test('of a token that does not say when it was made, the time that its end implies counts where Date says the same', () => {
  expect(ahead(OPAQUE, -HOUR_MS)).toBe(0);
  answer(inWords(0));
  expect(ahead(OPAQUE, -HOUR_MS)).toBe(0);
  answer(inWords(-HOUR_MS));
  expect(ahead(OPAQUE, -HOUR_MS)).toBeLessThan(-HOUR_MS + 2_000);
  expect(() => clock.requireSetSince(CALL, now)).toThrow(ClusterClockDiffers);
});

test('a Date of before a question, which got no answer, proves nothing of now', () => {
  answer(inWords(HOUR_MS));
  ahead(jwt(HOUR_MS));
  now += 1_000;
  expect(() => clock.requireSetSince(CALL, now)).not.toThrow();
  answer(inWords(HOUR_MS));
  expect(() => clock.requireSetSince(CALL, now - 50)).toThrow(ClusterClockDiffers);
});

test('API servers of one cluster that take turns with clocks that differ are told of once', () => {
  for (let index = 0; index < 500; index++) {
    ahead(jwt(index % 2 ? 0 : 8_000));
    now += 1_000;
  }
  expect(said()).toEqual([expect.stringContaining('8 s ahead of')]);
});

test.each([1_000, 120_000])('a clock that wavers every %d ms fills no log', (everyMs) => {
  for (const end = now + HOUR_MS; now < end; now += everyMs) {
    ahead(jwt(Math.floor(now / everyMs) % 2 ? 0 : 60_000));
  }
  expect(said().length).toBeLessThanOrEqual(HOUR_MS / 60_000);
});

/** Ten answers with such a Date, in ten seconds. */
function hearDates(aheadMs: number) {
  for (let index = 0; index < 10; index++) {
    answer(inWords(aheadMs));
    now += 1_000;
  }
}

test.each<[what: string, hear: () => unknown, aheadMs: number]>([
  ['nothing', () => undefined, 0],
  ['a single Date', () => answer(inWords(HOUR_MS)), HOUR_MS],
  ['only Dates that are behind, as those of a cache', () => answer('Tue, 15 Nov 1994 08:12:31 GMT'), 0],
  ['a token', () => ahead(jwt(-HOUR_MS)), -HOUR_MS],
  [
    'a token, and that the clock was set since',
    () => {
      hearDates(-HOUR_MS);
      ahead(jwt(-HOUR_MS));
      hearDates(0);
    },
    0,
  ],
  [
    'a token, and the Dates of a proxy',
    () => {
      hearDates(HOUR_MS);
      ahead(jwt(0));
      hearDates(HOUR_MS);
    },
    0,
  ],
])('how far ahead it is, after %s', (_, hear, aheadMs) => {
  hear();
  expect(Math.abs(clock.aheadMs - aheadMs)).toBeLessThan(2_000);
});

test('it is asked once, and only where nothing was heard of it', () => {
  expect([clock.mayBeAsked(), clock.mayBeAsked()]).toEqual([true, false]);
  const heard = new ClusterClock(CLUSTER, () => now, keepLog().log);
  heard.heardDate(inWords(0), { sentAt: now, answeredAt: now });
  expect(heard.mayBeAsked()).toBe(false);
});
