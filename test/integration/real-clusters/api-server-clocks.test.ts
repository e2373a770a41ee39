import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../../support/eventually.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { directAccess, seconds, setUpDynamic, setUpStatic } from '../../support/set-ups.ts';
import { type Skew, type SkewedServer, startSkewedServer } from '../../support/skewed-api-server.ts';
import { openWorld, type World } from '../../support/world.ts';

// An API server whose clock is another than that by which leases end.

const MINUTE_MS = 60_000;
const RIGHT: Skew = { aheadMs: 0 };

let world: World;
beforeAll(async () => {
  world = await openWorld({ LEASEHOLD_TOKEN_RENEWAL_INTERVAL: '1' }, 'direct');
});
afterAll(() => world?.stop());

let configs = 0;

/** A config that was created while the clock was right, and its API server, whose clock is then as asked. */
async function openConfig(kind: 'dynamic' | 'revocable' | 'static', skew: Skew) {
  const server = await startSkewedServer(world.cluster, RIGHT);
  const name = `clock-${configs++}`;
  const { config, requester } =
    kind === 'dynamic'
      ? await setUpDynamic(world, name)
      : await setUpStatic(world, name, { revocable: kind === 'revocable' });
  const access = directAccess({ url: server.url, caPem: server.caPem }, requester.token);
  await world.configs.createConfig({ config: { ...config, access } });
  server.skew = skew;
  server.created.splice(0);
  return { server, config: name };
}

const warnings = ({ url }: SkewedServer) =>
  world.logs.filter((line) => line.includes('the clock of the API server is') && line.includes(url));

function liveLeases(config: string) {
  const states = [LeaseState.LEASE_STATE_PENDING, LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_REVOKING];
  return world.leases.listLeases({ config, states });
}

test.each<[what: string, kind: 'dynamic' | 'revocable' | 'static', aheadMs: number]>([
  ['20 minutes behind', 'dynamic', -20 * MINUTE_MS],
  ['an hour ahead', 'dynamic', 60 * MINUTE_MS],
  ['an hour behind', 'revocable', -60 * MINUTE_MS],
  ['a minute and a half behind', 'static', -1.5 * MINUTE_MS],
  ['an hour ahead', 'static', 60 * MINUTE_MS],
])('%s (%s): issuing and renewing say so, and what lives is taken down', async (_, kind, aheadMs) => {
  const { server, config } = await openConfig(kind, RIGHT);
  try {
    const before = await world.leases.issueLease({ config });
    const id = before.lease?.id ?? '';
    server.skew = { aheadMs };
    server.created.splice(0);

    const whyNot = {
      code: Status.FAILED_PRECONDITION,
      reason: 'CLOCKS_DIFFER',
      retry: false,
      message: expect.stringMatching(/clock of the API server of .* is \d+ s (?:ahead of|behind) that of Leasehold/),
      metadata: expect.objectContaining({
        clock: 'api-server',
        ahead_seconds: expect.stringMatching(new RegExp(`^${aheadMs > 0 ? '' : '-'}\\d+$`)),
      }),
    };
    const rejection = await rejectionOf(world.leases.issueLease({ config }));
    expect(rejection).toMatchObject(whyNot);
    expect(Math.abs(Number(rejection.metadata['ahead_seconds']) - aheadMs / 1000)).toBeLessThan(5);
    // Now that it is known, nothing is made any more.
    const made = server.created.length;
    expect(await rejectionOf(world.leases.issueLease({ config }))).toMatchObject(whyNot);
    expect(await rejectionOf(world.leases.renewLease({ id }))).toMatchObject(whyNot);
    expect(server.created.length).toBe(made);
    expect(warnings(server)).toHaveLength(1);

    const { leases } = await liveLeases(config);
    expect(leases.map((lease) => lease.id)).toEqual([id]);
    if (kind !== 'static') {
      await world.leases.revokeLease({ id });
    }

    server.skew = RIGHT;
    expect(await world.leases.issueLease({ config })).toMatchObject({
      lease: { state: LeaseState.LEASE_STATE_ACTIVE },
    });
  } finally {
    server.stop();
  }
});

test.each<[what: string, skew: Skew]>([
  ['is 4 s behind', { aheadMs: -4_000 }],
  ['is 4 s ahead', { aheadMs: 4_000 }],
  ['is 20 s behind', { aheadMs: -20_000 }],
  ['sends no Date', { aheadMs: 0, date: () => undefined }],
  ['sends a Date that is none', { aheadMs: 0, date: () => 'yesterday' }],
  ['sends an empty Date', { aheadMs: 0, date: () => '' }],
  ['stands behind a cache that keeps Dates', { aheadMs: 0, date: () => 'Tue, 15 Nov 1994 08:12:31 GMT' }],
  ['stands behind a proxy whose clock is wrong', { aheadMs: 60 * MINUTE_MS, inTokens: false }],
])('a lease on a cluster whose API server %s is issued, and ends when it should', async (_, skew) => {
  for (const kind of ['dynamic', 'static'] as const) {
    const { server, config } = await openConfig(kind, skew);
    try {
      for (let times = 0; times < 3; times++) {
        const { lease } = await world.leases.issueLease({ config, ttl: seconds(900) });
        const lastsMs = (lease?.expireTime?.getTime() ?? 0) - Date.now();
        expect(Math.abs(lastsMs - 900_000)).toBeLessThan(5_000);
      }
      if (kind === 'dynamic') {
        const { lease } = await world.leases.issueLease({ config, ttl: seconds(1) });
        await eventually(async () =>
          expect((await world.leases.getLease({ id: lease?.id ?? '' })).state).toBe(LeaseState.LEASE_STATE_EXPIRED),
        );
      }
    } finally {
      server.stop();
    }
  }
});

test('a config on a cluster whose clock is off cannot be created, and nothing stays', async () => {
  const server = await startSkewedServer(world.cluster, { aheadMs: -20 * MINUTE_MS });
  const { config, requester } = await setUpDynamic(world, 'off-from-the-start');
  const access = directAccess({ url: server.url, caPem: server.caPem }, requester.token);
  expect(await rejectionOf(world.configs.createConfig({ config: { ...config, access } }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CLOCKS_DIFFER',
  });
  expect((await liveLeases('off-from-the-start')).leases).toEqual([]);
  server.stop();
});

test('a cluster token is renewed when its API server, which is ahead, is about to end it', async () => {
  // The server is a true one, which would not take tokens that were shifted.
  const server = await startSkewedServer(world.cluster, { aheadMs: 8 * MINUTE_MS, inTokens: false });
  const { config, requester } = await setUpDynamic(world, 'renewed-in-time');
  const token = await world.admin.mintToken(requester.account, { expirationSeconds: 600 });
  const { value } = directAccess({ url: server.url, caPem: server.caPem }, token);
  const access = { $case: 'direct' as const, value: { ...value, renewToken: true } };
  const created = await world.configs.createConfig({ config: { ...config, access } });
  await eventually(async () => {
    const { tokenExpireTime, tokenRenewalError } = await world.configs.getConfig({ name: 'renewed-in-time' });
    expect(tokenRenewalError).toBe('');
    expect(tokenExpireTime?.getTime()).toBeGreaterThan(created.tokenExpireTime?.getTime() ?? 0);
  });
  server.stop();
});
