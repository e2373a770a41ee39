import { randomUUID } from 'node:crypto';
import { type CallOptions, ClientError, type Metadata, Status } from 'nice-grpc';
import { RichClientError } from 'nice-grpc-error-details';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { connectTo, type LeaseholdClient } from '../support/leasehold.ts';
import type { ReadyCall } from '../support/rpcs.ts';
import { setUpStatic } from '../support/set-ups.ts';
import { makeTokenCallers } from '../support/token-callers.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';
import { openWorld, type World } from '../support/world.ts';

// Under the policies that Leasehold comes with: what a caller may not see looks like what is not there.

const LEASES_EACH = 150;

const folder = await makeTempFolder('hidden');
const { environment, as } = await makeTokenCallers(folder.path, { auditors: ['auditor'] });
const alice = await as('alice', ['corp-team-a']);
const bob = await as('bob', ['corp-team-b']);
const nobody = await as('nobody');

let world: World;
let client: LeaseholdClient;
const leases: Record<'alice' | 'bob', string[]> = { alice: [], bob: [] };

beforeAll(async () => {
  const { ofServers } = await writeRelayCertificate(folder.path);
  world = await openWorld({ ...environment, LEASEHOLD_RELAY_LISTEN: '127.0.0.1:0', ...ofServers });
  client = connectTo(world.address, {});
  for (const team of ['team-a', 'team-b']) {
    const { config } = await setUpStatic(world, `config-of-${team}`);
    await world.configs.createConfig({ config: { ...config, labels: { 'leasehold.dev/issuers': `corp-${team}` } } });
  }
  await world.gateways.createGateway({ name: 'edge' });
  const issue = async (config: string, options: CallOptions) =>
    (await client.leases.issueLease({ config }, options)).lease?.id ?? '';
  for (let count = 0; count < LEASES_EACH; count += 10) {
    const ten = <T>(make: () => T) => Promise.all(Array.from({ length: 10 }, make));
    const [ofAlice, ofBob] = await Promise.all([
      ten(() => issue('config-of-team-a', alice)),
      ten(() => issue('config-of-team-b', bob)),
    ]);
    leases.alice.push(...ofAlice);
    leases.bob.push(...ofBob);
  }
}, 120_000);
afterAll(async () => {
  client.close();
  await world.stop();
  await folder.remove();
});

/** All that reaches the caller of a call that fails. */
async function failureOf(call: ReadyCall, options: CallOptions, by = client): Promise<object> {
  const received: [string, unknown][] = [];
  const keep = (metadata: Metadata) => received.push(...[...metadata].filter(([key]) => key !== 'date'));
  const error = await call(by, { ...options, onHeader: keep, onTrailer: keep }).catch((failure: unknown) => failure);
  if (!(error instanceof ClientError)) {
    throw new Error('the call should have failed', { cause: error });
  }
  return {
    code: error.code,
    message: error.details,
    details: error instanceof RichClientError && error.extra,
    received,
  };
}

const onConfig: Record<string, (name: string) => ReadyCall> = {
  GetConfig:
    (name) =>
    ({ configs }, options) =>
      configs.getConfig({ name }, options),
  UpdateConfig:
    (name) =>
    ({ configs }, options) =>
      configs.updateConfig({ config: { name, etag: 'x' }, updateMask: ['labels'] }, options),
  DeleteConfig:
    (name) =>
    ({ configs }, options) =>
      configs.deleteConfig({ name, etag: 'x' }, options),
  CheckConfig:
    (name) =>
    ({ configs }, options) =>
      configs.checkConfig({ target: { $case: 'name', value: name } }, options),
  IssueLease: (config) => (clients, options) => clients.leases.issueLease({ config, namespace: 'elsewhere' }, options),
  BatchRevokeLeases: (config) => (clients, options) =>
    Array.fromAsync(clients.leases.batchRevokeLeases({ target: { $case: 'config', value: config } }, options)),
};
const onLease: Record<string, (id: string) => ReadyCall> = {
  GetLease: (id) => (clients, options) => clients.leases.getLease({ id }, options),
  RenewLease: (id) => (clients, options) => clients.leases.renewLease({ id }, options),
  RevokeLease: (id) => (clients, options) => clients.leases.revokeLease({ id }, options),
};
const onGateway: Record<string, (name: string) => ReadyCall> = {
  GetGateway:
    (name) =>
    ({ gateways }, options) =>
      gateways.getGateway({ name }, options),
  CreateEnrolmentToken:
    (gateway) =>
    ({ gateways }, options) =>
      gateways.createEnrolmentToken({ gateway }, options),
  DeleteGateway:
    (name) =>
    ({ gateways }, options) =>
      gateways.deleteGateway({ name }, options),
};

async function expectAlike(there: ReadyCall, absent: ReadyCall): Promise<void> {
  for (const caller of [alice, nobody]) {
    const failure = await failureOf(there, caller);
    expect(failure).toMatchObject({ code: Status.PERMISSION_DENIED });
    expect(await failureOf(absent, caller)).toEqual(failure);
  }
}

test.each(Object.entries(onConfig))('%s: the config of others looks like none', async (_rpc, call) => {
  await expectAlike(call('config-of-team-b'), call('config-of-team-c'));
});

test.each(Object.entries(onLease))('%s: the lease of others looks like none', async (_rpc, call) => {
  await expectAlike(call(leases.bob[0] ?? ''), call(randomUUID()));
});

test.each(Object.entries(onGateway))('%s: a gateway looks like none', async (_rpc, call) => {
  await expectAlike(call('edge'), call('no-such-edge'));
});

test.each(Object.entries({ ...onConfig, ...onGateway, ...onLease }).filter(([rpc]) => rpc !== 'BatchRevokeLeases'))(
  '%s: an admin hears that there is none',
  async (_rpc, call) => {
    expect(await failureOf(call(randomUUID()), {}, world)).toMatchObject({ code: Status.NOT_FOUND });
  },
);

/** Ids of all pages of a list of leases. */
async function allLeases(options: CallOptions, filter: { config?: string } = {}) {
  const ids: string[] = [];
  const tokens: string[] = [];
  let pageToken = '';
  do {
    const page = await client.leases.listLeases({ ...filter, pageSize: 7, pageToken }, options);
    ids.push(...page.leases.map(({ id }) => id));
    pageToken = page.nextPageToken;
    tokens.push(pageToken);
  } while (pageToken !== '');
  return { ids, tokens };
}

test('each sees all leases of its own, newest first, and no other', async () => {
  const newestFirst = (ids: string[]) => [...ids].sort().reverse();
  expect((await allLeases(alice)).ids).toEqual(newestFirst(leases.alice));
  expect((await allLeases(bob)).ids).toEqual(newestFirst(leases.bob));
  expect((await allLeases(alice, { config: 'config-of-team-b' })).ids).toEqual([]);
  expect((await allLeases(await as('other', ['corp-team-a']))).ids).toEqual([]);
  expect((await allLeases(await as('auditor'))).ids).toEqual(newestFirst([...leases.alice, ...leases.bob]));
});

test('each sees the configs that it may use, and no other', async () => {
  const names = async (options: CallOptions) =>
    (await client.configs.listConfigs({}, options)).configs.map(({ name }) => name);
  expect(await names(alice)).toEqual(['config-of-team-a']);
  expect(await names(await as('both', ['corp-team-a', 'corp-team-b']))).toEqual([
    'config-of-team-a',
    'config-of-team-b',
  ]);
  expect(await names(await as('outsider', ['corp-team-c']))).toEqual([]);
});

test('a page token tells nothing, and is good for nobody else and for no other list', async () => {
  const { tokens } = await allLeases(alice);
  const foreign = [...leases.bob, ...leases.alice, 'team-b', 'alice', 'bob'];
  for (const token of tokens) {
    const read = Buffer.from(token, 'base64url').toString('latin1');
    expect(foreign.filter((name) => token.includes(name) || read.includes(name))).toEqual([]);
  }
  const [pageToken = ''] = tokens;
  const refusal = { code: Status.INVALID_ARGUMENT, message: expect.stringContaining('page_token') };
  const list: ReadyCall = (clients, options) => clients.leases.listLeases({ pageToken }, options);
  expect(await failureOf(list, bob)).toMatchObject(refusal);
  expect(await failureOf(list, await as('alice2', ['corp-team-a']))).toMatchObject(refusal);
  expect(await failureOf(({ configs }, options) => configs.listConfigs({ pageToken }, options), alice)).toMatchObject(
    refusal,
  );
  const flipped = Buffer.from(pageToken, 'base64url');
  flipped.writeUInt8(flipped.readUInt8(14) ^ 1, 14);
  const changed = flipped.toString('base64url');
  expect(
    await failureOf((clients, options) => clients.leases.listLeases({ pageToken: changed }, options), alice),
  ).toMatchObject(refusal);
  await list(client, alice);
});

test('whoever has lost the group keeps sight of its leases, and gets no more of them', async () => {
  const moved = await as('alice', ['corp-team-c']);
  const id = leases.alice[0] ?? '';
  expect((await client.leases.getLease({ id }, moved)).id).toBe(id);
  for (const call of [onLease['RenewLease']?.(id), onConfig['IssueLease']?.('config-of-team-a')]) {
    expect(call && (await failureOf(call, moved))).toMatchObject({ code: Status.PERMISSION_DENIED });
  }
});
