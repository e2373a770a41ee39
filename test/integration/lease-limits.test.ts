import { randomUUID } from 'node:crypto';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { IssueLeaseResponse } from '../../src/gen/leasehold/v1/lease_service.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient } from '../support/leasehold.ts';
import { type Rejection, rejectionOf } from '../support/rejection.ts';
import { type StaticSetup, setUpStatic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// How many leases may live at once, and how fast they are issued: at two servers together.

const MOST = 50;

/** Renewals and repeated issues, in a second. */
const RATE = 2;

let world: World;
let other: RunningServer;
let clients: [LeaseholdClient, LeaseholdClient];
let setup: StaticSetup;
beforeAll(async () => {
  world = await openWorld({ LEASEHOLD_MAX_LEASES_PER_CONFIG: String(MOST), LEASEHOLD_MAX_LEASES_PER_PRINCIPAL: '80' });
  other = await startServer(world.settings, createLogger('other', 'silent'));
  clients = [world, connectTo(other.address)];
  setup = await setUpStatic(world, 'one', { revocable: true });
  await world.configs.createConfig({ config: setup.config });
  await world.configs.createConfig({ config: { ...setup.config, name: 'two' } });
});
afterAll(async () => {
  clients[1].close();
  await other.stop();
  await world.stop();
});

/** So many calls at once, by turns at one server and the other. */
async function issueAtOnce(config: string, calls: number) {
  const outcomes = await Promise.all(
    Array.from({ length: calls }, (_, index) => {
      const issuing = clients[index % 2 === 0 ? 0 : 1].leases.issueLease({ config });
      return issuing.catch(() => rejectionOf(issuing));
    }),
  );
  const granted = outcomes.filter((outcome): outcome is IssueLeaseResponse => 'lease' in outcome);
  const refused = outcomes.filter((outcome): outcome is Rejection => 'code' in outcome);
  return { ids: granted.map(({ lease }) => lease?.id ?? ''), refused };
}

test('of 200 calls at once, as many are granted as the config may have, and after the end of some as many again', async () => {
  const { ids, refused } = await issueAtOnce('one', 200);
  expect(ids).toHaveLength(MOST);
  expect(refused).toHaveLength(200 - MOST);
  for (const refusal of refused) {
    expect(refusal).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      reason: 'TOO_MANY_LEASES_ON_CONFIG',
      quotas: ['config:one'],
      retry: true,
    });
  }
  await Promise.all(ids.slice(0, 7).map((id) => world.leases.revokeLease({ id })));
  const second = await issueAtOnce('one', 40);
  expect(second.ids).toHaveLength(7);

  // 50 of the caller's 80 are taken: the other config has room for 50, the caller for 30.
  const elsewhere = await issueAtOnce('two', 60);
  expect(elsewhere.ids).toHaveLength(30);
  expect(elsewhere.refused[0]).toMatchObject({
    code: Status.RESOURCE_EXHAUSTED,
    reason: 'TOO_MANY_LEASES_OF_PRINCIPAL',
    quotas: ['principal:apikey:tests'],
  });
  await revokeAll();
});

test('a repeated request is answered where there is no room any more', async () => {
  const request = { config: 'one', requestId: randomUUID() };
  const { lease } = await world.leases.issueLease(request);
  const { ids } = await issueAtOnce('one', MOST);
  expect(ids).toHaveLength(MOST - 1);
  expect((await clients[1].leases.issueLease(request)).lease?.id).toBe(lease?.id);
  await revokeAll();
});

test('a config can be created and tried where the caller has no room', async () => {
  const { ids } = await issueAtOnce('one', MOST);
  const { ids: more } = await issueAtOnce('two', 30);
  expect(ids.length + more.length).toBe(80);
  await world.configs.createConfig({ config: { ...setup.config, name: 'three' } });
  await revokeAll();
});

test.each<[string, (client: LeaseholdClient, id: string, requestId: string) => Promise<unknown>]>([
  ['renewals', ({ leases }, id) => leases.renewLease({ id })],
  ['repeated issues', ({ leases }, _, requestId) => leases.issueLease({ config: 'one', requestId })],
])('%s of a caller come no faster than they may, at both servers together', async (_what, again) => {
  const slow = await startServer({ ...world.settings, LEASEHOLD_ISSUE_RATE: RATE }, createLogger('slow', 'silent'));
  const client = connectTo(slow.address);
  try {
    const requestId = randomUUID();
    const { lease } = await eventually(() => client.leases.issueLease({ config: 'one', requestId }));
    const started = performance.now();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => {
        const call = again(client, lease?.id ?? '', requestId);
        return call.then(
          () => undefined,
          () => rejectionOf(call),
        );
      }),
    );
    const tooEarly = outcomes.filter((refusal) => refusal?.reason === 'ISSUE_RATE_EXCEEDED');
    // Two at once, and two for each second that it took.
    const most = RATE + Math.ceil((RATE * (performance.now() - started)) / 1000);
    expect(outcomes.length - tooEarly.length).toBeLessThanOrEqual(most);
    expect(tooEarly[0]).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      quotas: ['principal:apikey:tests'],
      retry: true,
    });
  } finally {
    client.close();
    await slow.stop();
  }
});

test('the leases of one caller can be listed', async () => {
  const { ids } = await issueAtOnce('one', 3);
  const listed = await world.leases.listLeases({ principal: 'apikey:tests', config: 'one', pageSize: 2 });
  expect(listed.leases.map(({ id }) => id)).toEqual(ids.toSorted().reverse().slice(0, 2));
  expect((await world.leases.listLeases({ principal: 'apikey:others' })).leases).toEqual([]);
  expect(
    await rejectionOf(world.leases.listLeases({ principal: 'apikey:others', pageToken: listed.nextPageToken })),
  ).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['page_token'] });
});

async function revokeAll(): Promise<void> {
  await Array.fromAsync(world.leases.batchRevokeLeases({ target: { $case: 'all', value: true } }));
}
