import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ClusterTokens } from '../../src/shared/configs/cluster-tokens.ts';
import { readClaims } from '../../src/shared/configs/token-claims.ts';
import { ClusterUnreachable } from '../../src/shared/domain/cluster-error.ts';
import type { Access, Config, DirectAccess } from '../../src/shared/domain/config.ts';
import { isIntact } from '../../src/shared/domain/damaged-config.ts';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { revoke } from '../../src/shared/leases/revoke.ts';
import type { Cluster, MintedToken } from '../../src/shared/ports/cluster.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { active, sampleConfig, sampleLease } from '../contract/samples.ts';
import { MemoryClusters } from '../fakes/memory-clusters.ts';
import { memoryPorts } from '../fakes/memory-ports.ts';
import { VirtualClock } from '../fakes/virtual-clock.ts';
import { accountToken } from '../support/account-token.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { recordMetrics } from '../support/record-metrics.ts';

// Renewal in virtual time, on stores and clusters in memory.

const ACCOUNT = { namespace: 'leasehold', name: 'leasehold' };
const START_S = 1_800_000_000;
const HOUR_S = 3600;
const URL = 'https://cluster.test';
const MINTING = { verb: 'create', apiGroup: '', resource: 'serviceaccounts', subresource: 'token' } as const;

const counted = recordMetrics();
afterAll(() => counted.stop());

let clock: VirtualClock;
let clusters: MemoryClusters;
let ports: Ports;
let lines: string[];
/** Stands before the calls to all clusters, where a test puts something. */
let change: (cluster: Cluster, access: Access) => Partial<Cluster>;

beforeEach(() => {
  clock = new VirtualClock(START_S * 1000);
  clusters = new MemoryClusters(clock.now);
  clusters.server(URL).add({ kind: 'ServiceAccount', ...ACCOUNT });
  const kept = keepLog();
  lines = kept.lines;
  change = () => ({});
  ports = {
    ...memoryPorts(clock.now),
    log: kept.log,
    clusters: {
      at(access) {
        const cluster = clusters.at(access);
        return Object.assign(cluster, change(cluster, access));
      },
    },
  };
});

interface Wanted {
  url?: string;
  lifeSeconds?: number;
  renewToken?: boolean;
  token?: Secret;
}

async function store(
  name: string,
  { lifeSeconds = HOUR_S, renewToken = true, token, url }: Wanted = {},
): Promise<Config> {
  const sample = sampleConfig(name);
  const given = token ?? accountToken({ iat: START_S, exp: START_S + lifeSeconds, jti: name });
  const config = {
    ...sample,
    access: { ...sample.access, token: given, renewToken, ...(url === undefined ? {} : { url }) },
  };
  await ports.configs.keepAccess(config.access);
  await ports.configs.create(config);
  return config;
}

async function stored(name = 'blue'): Promise<Config & { access: DirectAccess }> {
  const config = await ports.configs.get(name);
  if (!config || !isIntact(config) || config.access.kind !== 'direct') {
    throw new Error(`no config ${name} with an access of its own`);
  }
  return { ...config, access: config.access };
}

const expireTimeOf = ({ access }: { access: DirectAccess }) => readClaims(access.token)?.expireTime ?? 0;
const errorOf = async (name = 'blue') => ports.renewalNotes.errorOf((await stored(name)).access.id);
const warnings = () => lines.filter((line) => line.startsWith('warn'));

describe('a token that is to be renewed', () => {
  test('is left until a third of its life is left, and then gets a successor that is like it', async () => {
    const before = await store('blue');
    const tokens = new ClusterTokens(ports);
    await clock.advance(((HOUR_S * 2) / 3) * 1000 - 1);
    await tokens.run();
    expect(await stored()).toEqual(before);

    await clock.advance(1);
    await tokens.run();
    const after = await stored();
    expect(after).toEqual({ ...before, version: 2, access: after.access });
    expect(after.access).toEqual({ ...before.access, id: after.access.id, token: after.access.token });
    expect(after.access.id).not.toBe(before.access.id);
    expect(readClaims(after.access.token)).toMatchObject({
      account: ACCOUNT,
      audiences: ['api'],
      expireTime: clock.now() + HOUR_S * 1000,
    });
    expect(lines).toEqual(['info: cluster token renewed']);
  });

  test('is good at every moment of a day', async () => {
    await store('blue', { lifeSeconds: 600 });
    const tokens = new ClusterTokens(ports);
    const ids = new Set<string>();
    for (let run = 0; run < 24 * 60 * 2; run++) {
      await tokens.run();
      const config = await stored();
      expect(expireTimeOf(config) - clock.now()).toBeGreaterThan(150_000);
      ids.add(config.access.id);
      await clock.advance(30_000);
    }
    expect(ids.size).toBe(1 + Math.floor((24 * HOUR_S) / 420));
    expect(warnings()).toEqual([]);
  });

  test.each([30, 59, -20, -60, -600])(
    'is renewed by the clock of its API server, %i min ahead',
    async (aheadMinutes) => {
      const aheadS = aheadMinutes * 60;
      const life = () => ({ iat: clock.now() / 1000 + aheadS, exp: clock.now() / 1000 + aheadS + HOUR_S });
      await store('blue', { token: accountToken(life()) });
      change = () => ({
        clockAheadMs: async () => aheadS * 1000,
        mintToken: async () => ({ token: accountToken(life()), expireTime: clock.now() + HOUR_S * 1000 }),
      });
      const tokens = new ClusterTokens(ports);
      await clock.advance(((HOUR_S * 2) / 3) * 1000 - 1000);
      await tokens.run();
      expect(await stored()).toMatchObject({ version: 1 });
      await clock.advance(1000);
      await tokens.run();
      expect(await stored()).toMatchObject({ version: 2 });
      await tokens.run();
      expect(await stored()).toMatchObject({ version: 2 });
      expect(lines).toEqual(['info: cluster token renewed']);
    },
  );

  test('keeps its shorter life where the cluster gives less than was asked for', async () => {
    await store('blue');
    clusters.server(URL).maxTokenSeconds = 900;
    await clock.advance(HOUR_S * 700);
    const tokens = new ClusterTokens(ports);
    for (let run = 0; run < 40; run++) {
      await tokens.run();
      await clock.advance(100_000);
      expect(expireTimeOf(await stored())).toBeGreaterThan(clock.now());
    }
    expect(await errorOf()).toBe('');
  });
});

describe('a renewal that fails', () => {
  const away = async (): Promise<never> => {
    throw new ClusterUnreachable(MINTING, 'it is away');
  };

  test('is shown, told once, and tried again until it works', async () => {
    const before = await store('blue');
    await clock.advance(HOUR_S * 700);
    const tokens = new ClusterTokens(ports);
    change = () => ({ mintToken: away });
    await tokens.run();
    await tokens.run();
    expect(await errorOf()).toBe('the cluster could not create serviceaccounts/token: it is away');
    expect(await stored()).toEqual(before);
    expect(warnings()).toEqual(['warn: cluster token not renewed; it is tried again']);

    change = () => ({});
    await tokens.run();
    expect(await errorOf()).toBe('');
    expect(expireTimeOf(await stored())).toBe(clock.now() + HOUR_S * 1000);
  });

  test('does not keep the others from their turn', async () => {
    for (const name of ['blue', 'green', 'red']) {
      await store(name);
    }
    const { access } = await stored('green');
    clusters.server(URL).revokedTokens.add(access.token.reveal());
    await clock.advance(HOUR_S * 700);
    await new ClusterTokens(ports).run();
    expect((await stored('green')).access).toEqual(access);
    expect(await errorOf('green')).toContain('401');
    expect([(await stored('blue')).version, (await stored('red')).version]).toEqual([2, 2]);
  });

  test.each<[string, (cluster: Cluster) => Partial<Cluster>, string]>([
    ['is not let in', () => ({ canI: away }), 'it is away'],
    [
      'is of another account',
      minting(accountToken({ sub: 'system:serviceaccount:kube-system:root', iat: 1, exp: 4e9 })),
      'kube-system/root',
    ],
    ['is no token of an account', minting(new Secret('opaque')), 'is not that of a service account'],
    ['ends with a Pod', minting(accountToken({ iat: 1, exp: 4e9, 'kubernetes.io': { pod: {} } })), 'ends with its pod'],
    ['has expired', minting(accountToken({ iat: 1, exp: START_S })), 'has expired already'],
  ])('because the new token %s leaves the old one', async (_, spoilt, problem) => {
    const before = await store('blue');
    await clock.advance(HOUR_S * 700);
    change = spoilt;
    await new ClusterTokens(ports).run();
    expect(await stored()).toEqual(before);
    expect(await errorOf()).toContain(problem);
  });

  test('because it comes too late says what to do', async () => {
    const before = await store('blue');
    await clock.advance(HOUR_S * 1000);
    clusters.server(URL).revokedTokens.add((await stored()).access.token.reveal());
    await new ClusterTokens(ports).run();
    expect(await stored()).toEqual(before);
    expect(await errorOf()).toMatch(/expired at 2027-01-15T09:00:00.000Z.*give the config another one.*direct.token/);
  });

  test('because the store is away fails the run, which comes again', async () => {
    await store('blue');
    await clock.advance(HOUR_S * 700);
    const gone = new Unavailable('STORE_UNAVAILABLE', 'away');
    const configs = new Proxy(ports.configs, {
      get: (target, name) =>
        name === 'keepAccess' ? () => Promise.reject(gone) : Reflect.get(target, name).bind(target),
    });
    await expect(new ClusterTokens({ ...ports, configs }).run()).rejects.toBe(gone);
    await new ClusterTokens(ports).run();
    expect((await stored()).version).toBe(2);
  });
});

test('a token that could not be renewed in time is warned of, with what to do', async () => {
  await store('blue');
  await clock.advance(HOUR_S * 1000);
  clusters.server(URL).revokedTokens.add((await stored()).access.token.reveal());
  await new ClusterTokens(ports).run();
  expect(warnings()).toEqual([
    'warn: cluster token not renewed; it is tried again',
    'warn: the cluster token of a config has expired: it could not be renewed (token_renewal_error); give the config another one (UpdateConfig, direct.token)',
  ]);
});

test('tries are counted by what became of them', async () => {
  await store('counted');
  await clock.advance(HOUR_S * 700);
  const tokens = new ClusterTokens(ports);
  change = () => ({ canI: () => Promise.reject(new ClusterUnreachable(MINTING, 'it is away')) });
  await tokens.run();
  await tokens.run();
  change = () => ({});
  await tokens.run();
  const points = await counted.of('leasehold.cluster.token.renewals');
  const attributes = { 'leasehold.config': 'counted' };
  expect(points.filter((point) => Reflect.get(point.attributes, 'leasehold.config') === 'counted')).toEqual([
    { value: 2, attributes: { ...attributes, 'leasehold.renewal.outcome': 'failed' } },
    { value: 1, attributes: { ...attributes, 'leasehold.renewal.outcome': 'renewed' } },
  ]);
});

function minting(token: Secret): () => Partial<Cluster> {
  return () => ({ mintToken: async (): Promise<MintedToken> => ({ token, expireTime: 0 }) });
}

test.each([
  'before mintToken',
  'after mintToken',
  'after canI',
  'before keepAccess',
  'after keepAccess',
  'before replace',
  'after replace',
])(
  'a worker that dies %s leaves a config that works, and the next one renews where that was not done',
  async (moment) => {
    await store('blue');
    await clock.advance(HOUR_S * 700);
    const dying = dyingAt(moment);
    change = (cluster) => ({ mintToken: dying(cluster, 'mintToken'), canI: dying(cluster, 'canI') });
    const { configs } = ports;
    const watched = { keepAccess: dying(configs, 'keepAccess'), replace: dying(configs, 'replace') };
    const mortal = new Proxy(configs, {
      get: (target, name) => Reflect.get(watched, name) ?? Reflect.get(target, name).bind(target),
    });
    await expect(new ClusterTokens({ ...ports, configs: mortal }).run()).rejects.toThrow('killed');

    change = () => ({});
    await new ClusterTokens(ports).run();
    expect(await stored()).toMatchObject({ version: 2 });
    expect(expireTimeOf(await stored())).toBe(clock.now() + HOUR_S * 1000);
  },
);

/** Methods that do not go on, or whose answer is not heard any more, at a moment: `before replace`. */
function dyingAt(moment: string) {
  return <T extends object, K extends keyof T & string>(target: T, name: K): T[K] => {
    const method = target[name] as (...args: unknown[]) => Promise<unknown>;
    const dying = async (...args: unknown[]) => {
      if (moment === `before ${name}`) {
        throw new Error('killed');
      }
      const answer = await method.apply(target, args);
      if (moment === `after ${name}`) {
        throw new Error('killed');
      }
      return answer;
    };
    return dying as T[K];
  };
}

describe('of several writers', () => {
  test('whoever changes the config meanwhile wins, and nothing is told', async () => {
    const before = await store('blue');
    await clock.advance(HOUR_S * 700);
    const theirs = { ...before, version: 2, labels: { team: 'red' } };
    change = (cluster) => {
      const mintToken = cluster.mintToken.bind(cluster);
      return {
        async mintToken(...args) {
          await ports.configs.replace(theirs);
          return mintToken(...args);
        },
      };
    };
    const tokens = new ClusterTokens(ports);
    await tokens.run();
    expect(await stored()).toEqual(theirs);
    expect([await errorOf(), lines]).toEqual(['', []]);

    change = () => ({});
    await tokens.run();
    expect(await stored()).toMatchObject({ version: 3, labels: { team: 'red' } });
  });

  test('one of two workers renews', async () => {
    await store('blue');
    await clock.advance(HOUR_S * 700);
    await Promise.all([new ClusterTokens(ports).run(), new ClusterTokens(ports).run()]);
    expect((await stored()).version).toBe(2);
    expect(lines).toEqual(['info: cluster token renewed']);
    expect(await errorOf()).toBe('');
  });
});

test('a lease that was issued under the old token is taken down when that is dead', async () => {
  const config = await store('blue');
  const planned = sampleLease(config);
  await ports.leases.record(planned);
  for (const object of planned.objects) {
    clusters.server(URL).add(object);
  }
  const lease = active(planned);
  const objects = clusters.server(URL).objectsOf(lease);
  const held = { ...lease, objects: lease.objects.map((object, index) => ({ ...object, uid: objects[index]?.uid })) };
  await ports.leases.save(held);
  await clock.advance(HOUR_S * 700);
  await new ClusterTokens(ports).run();
  clusters.server(URL).revokedTokens.add((config.access as DirectAccess).token.reveal());

  expect(await revoke(ports, held, 'REVOKED')).toMatchObject({ state: 'REVOKED', accessId: config.access.id });
  expect(clusters.server(URL).objectsOf(held)).toEqual([]);
});

describe('a token that is not to be renewed', () => {
  const DAY_S = 24 * HOUR_S;
  const NEAR =
    'warn: the cluster token of a config is about to expire: give the config another one (UpdateConfig, direct.token), or have it renewed (direct.renew_token)';

  /** So long before its end, in seconds, the first warning came. */
  async function firstWarning(lifeSeconds: number): Promise<number> {
    const before = await store('blue', { lifeSeconds, renewToken: false });
    const tokens = new ClusterTokens(ports);
    while (lines.length === 0) {
      await clock.advance(60_000);
      await tokens.run();
    }
    expect(lines).toEqual([NEAR]);
    expect(await stored()).toEqual(before);
    return (START_S * 1000 + lifeSeconds * 1000 - clock.now()) / 1000;
  }

  test.each([
    [HOUR_S, HOUR_S / 5],
    [10 * DAY_S, 2 * DAY_S],
    [40 * DAY_S, 7 * DAY_S],
  ])('of %i s is warned about %i s before its end', async (lifeSeconds, leftSeconds) => {
    expect(await firstWarning(lifeSeconds)).toBe(leftSeconds);
  });

  test('is warned about once a day, and when it has expired', async () => {
    await store('blue', { lifeSeconds: 10 * DAY_S, renewToken: false });
    const tokens = new ClusterTokens(ports);
    await clock.advance(8 * DAY_S * 1000);
    for (let run = 0; run < 3 * 24; run++) {
      await tokens.run();
      await clock.advance(HOUR_S * 1000);
    }
    expect(lines).toEqual([NEAR, NEAR, expect.stringContaining('has expired')]);
  });

  test('is warned about by the clock of its API server', async () => {
    await store('blue', { renewToken: false });
    change = () => ({ clockAheadMs: async () => HOUR_S * 1000 });
    await new ClusterTokens(ports).run();
    expect(lines).toEqual([expect.stringContaining('has expired')]);
  });

  test('and never ends is never warned about', async () => {
    await store('blue', { renewToken: false, token: new Secret('opaque') });
    await store('green', { renewToken: false, token: accountToken({ iat: START_S }) });
    await clock.advance(365 * DAY_S * 1000);
    await new ClusterTokens(ports).run();
    expect(lines).toEqual([]);
  });
});

describe('clusters that are slow', () => {
  let victim: Config;

  /** Configs of which each has a cluster of its own, or all share one; `victim` is the last by name and by its end. */
  async function storeAll(slow: number, urlOf: (index: number) => string): Promise<void> {
    for (let i = 0; i < slow; i++) {
      await store(`slow-${i}`, { url: urlOf(i) });
    }
    victim = await store('victim', { lifeSeconds: HOUR_S + 60 });
    await clock.advance(HOUR_S * 800);
  }

  test.each<[string, (index: number) => string]>([
    ['each has a cluster of its own', (index) => `https://slow-${index}.test`],
    ['all share the cluster of the victim', () => URL],
  ])('and never answer do not keep a due token from its renewal: %s', async (_name, urlOf) => {
    await storeAll(200, urlOf);
    const never = Promise.withResolvers<never>();
    change = (_, access) =>
      access.id === victim.access.id
        ? {}
        : { mintToken: () => never.promise, clockAheadMs: () => never.promise.catch(() => 0) };
    const running = new ClusterTokens(ports).run();

    await vi.waitFor(async () => expect((await stored('victim')).version).toBe(2), { timeout: PATIENCE_MS });
    never.reject(new ClusterUnreachable(MINTING, 'no answer'));
    await running;
  });

  test('and under way are passed over by the next run, and come last in the one after it', async () => {
    // As many as may begin at once: the victim begins once they were slow.
    const slow = 16;
    await storeAll(slow, () => URL);
    const order: string[] = [];
    let hang = Promise.withResolvers<never>();
    change = (_, access) => ({
      clockAheadMs: async () => 0,
      mintToken: async (): Promise<MintedToken> => {
        order.push(access.id);
        return access.id === victim.access.id ? Promise.reject(new ClusterUnreachable(MINTING, 'reset')) : hang.promise;
      },
    });
    const tokens = new ClusterTokens(ports);
    const runs = [tokens.run()];
    await vi.waitFor(() => expect(order).toHaveLength(slow + 1), { timeout: PATIENCE_MS });
    runs.push(tokens.run());
    await vi.waitFor(() => expect(order).toHaveLength(slow + 2), { timeout: PATIENCE_MS });
    expect(order.at(-1)).toBe(victim.access.id);

    hang.reject(new ClusterUnreachable(MINTING, 'no answer'));
    await Promise.all(runs);
    hang = Promise.withResolvers();
    hang.reject(new ClusterUnreachable(MINTING, 'no answer'));
    await tokens.run();
    expect(order[slow + 2]).toBe(victim.access.id);
  });
});
