import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lanes, TURNED_AWAY } from '../../src/worker/lanes.ts';
import { Claim } from '../../src/worker/shares.ts';

const PLACES = 128;
const PATIENCE_MS = 30;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => undefined);
const claim = (of: { cluster?: string; config?: string; principal?: string } = {}) =>
  new Claim({ cluster: 'cluster', config: 'config', principal: 'principal', ...of });
const VICTIM = { config: 'of-victim', principal: 'victim' };

type ClaimOf = (index: number) => Claim;

/** Calls that do not end: as many as run, and as many more wait. Returns how many run. */
function hang(lanes: Lanes, of: ClaimOf, count: number): number {
  let running = 0;
  for (let index = 0; index < count; index++) {
    void lanes.run(of(index), () => {
      running += 1;
      return never();
    });
  }
  return running;
}

/** Clusters of which each takes all it can before the next. `principalOf`: whose a cluster is. */
function oneAfterTheOther(index: number, clusters: number, principalOf: (cluster: number) => number): Claim {
  const cluster = Math.floor(index / 100) % clusters;
  return claim({ cluster: `${cluster}`, config: `${cluster}`, principal: `${principalOf(cluster)}` });
}

const ATTACKERS: [string, ClaimOf, Claim][] = [
  ['a config of the same cluster', () => claim(), claim(VICTIM)],
  ['many configs of one principal in the same cluster', (i) => claim({ config: `${i}` }), claim(VICTIM)],
  ['many principals of one config', (i) => claim({ principal: `${i}` }), claim(VICTIM)],
  ['eight tenants of the same cluster', (i) => claim({ config: `${i % 8}`, principal: `${i % 8}` }), claim(VICTIM)],
  ['another principal of the same config', () => claim(), claim({ principal: 'victim' })],
  ['the same principal on another config', () => claim(), claim({ config: 'of-victim' })],
  ['another cluster', () => claim(), claim({ ...VICTIM, cluster: 'of-victim' })],
  [
    'four clusters of four tenants',
    (i) => claim({ cluster: `${i % 4}`, config: `${i % 4}`, principal: `${i % 4}` }),
    claim({ ...VICTIM, cluster: 'of-victim' }),
  ],
  [
    'forty clusters of forty tenants',
    (i) => claim({ cluster: `${i % 40}`, config: `${i % 40}`, principal: `${i % 40}` }),
    claim({ ...VICTIM, cluster: 'of-victim' }),
  ],
  [
    'twenty-eight clusters of as many tenants',
    (i) => oneAfterTheOther(i, 28, (tenant) => tenant),
    claim({ ...VICTIM, cluster: 'of-victim' }),
  ],
  [
    'eight clusters each of eight tenants',
    (i) => oneAfterTheOther(i, 64, (cluster) => cluster % 8),
    claim({ ...VICTIM, cluster: 'of-victim' }),
  ],
  [
    'a hundred tenants, some of them in the cluster of the victim',
    (i) => claim({ cluster: i % 5 ? `${i % 100}` : 'cluster', config: `${i % 100}`, principal: `${i % 100}` }),
    claim(VICTIM),
  ],
  [
    'a thousand clusters of one principal',
    (i) => claim({ cluster: `${i}`, config: `${i}` }),
    claim({ ...VICTIM, cluster: 'of-victim' }),
  ],
  [
    'forty tenants in forty clusters, one of them that of the victim',
    (i) => claim({ cluster: i % 40 ? `${i % 40}` : 'cluster', config: `${i % 40}`, principal: `${i % 40}` }),
    claim(VICTIM),
  ],
];

test.each(ATTACKERS)('while all calls of %s hang, a call of another begins at once', async (_, of, victim) => {
  const lanes = new Lanes(PLACES, PATIENCE_MS);
  hang(lanes, of, 10_000);
  // No time passes.
  expect(await lanes.run(victim, async () => 'ran')).toBe('ran');
});

test.each(ATTACKERS)(
  'however many calls of %s wait, one that waits for its turn finds a seat',
  async (_, of, victim) => {
    const lanes = new Lanes(PLACES, PATIENCE_MS);
    hang(lanes, of, 10_000);
    const held = hang(lanes, () => victim, 1);
    expect(held).toBe(1);
    // As many more as it may run itself, and one beyond.
    hang(lanes, () => victim, PLACES);
    const beyond = lanes.run(victim, async () => 'ran');
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(await beyond).toBe(TURNED_AWAY);
  },
);

test.each([
  [1, 19],
  [2, 24],
  [3, 26],
  [15, 30],
])('in a cluster of 32 places %i configs take %i', (configs, places) => {
  const lanes = new Lanes(PLACES, PATIENCE_MS);
  const of: ClaimOf = (index) => claim({ config: `${index % configs}`, principal: `${index % configs}` });
  expect(hang(lanes, of, 1_000)).toBe(places);
});

test.each([1, 2, 3, 5, 8, 16])('a worker of %i places runs the work of whoever is alone', async (places) => {
  expect(await new Lanes(places, PATIENCE_MS).run(claim(), async () => 'ran')).toBe('ran');
});

test('work that waits is served by turns: that of whoever holds least is next', async () => {
  const lanes = new Lanes(16, PATIENCE_MS);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const run = (config: string) =>
    lanes.run(claim({ config, principal: config }), () => {
      order.push(config);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  // Four places in the cluster: the busy one takes two, the other one, and a third of the busy one waits first.
  const all = [run('busy'), run('busy'), run('calm'), run('busy'), run('calm')];
  expect(order).toEqual(['busy', 'busy', 'calm']);
  for (const index of [2, 0, 1, 3, 4]) {
    ends[index]?.();
    await vi.advanceTimersByTimeAsync(0);
  }
  await Promise.all(all);
  expect(order).toEqual(['busy', 'busy', 'calm', 'calm', 'busy']);
});

test('work that ends, also by failing, makes room for the next', async () => {
  const lanes = new Lanes(1, PATIENCE_MS);
  const gate = Promise.withResolvers<void>();
  const first = lanes.run(claim(), () => gate.promise);
  const second = lanes.run(claim(), async () => 'second');
  gate.reject(new Error('failed'));
  await expect(first).rejects.toThrow('failed');
  expect(await second).toBe('second');
  expect(await lanes.run(claim(), async () => 'third')).toBe('third');
});

test('work is turned away when no place comes free in time, and at once where all seats are taken', async () => {
  const lanes = new Lanes(1, PATIENCE_MS);
  void lanes.run(claim(), never);
  const patient = lanes.run(claim(), async () => 'ran');
  expect(await lanes.run(claim(), async () => 'ran')).toBe(TURNED_AWAY);
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  expect(await patient).toBe(TURNED_AWAY);
});
