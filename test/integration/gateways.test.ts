import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { eventually } from '../support/eventually.ts';
import { rejectionOf } from '../support/rejection.ts';
import { createDynamicRequester } from '../support/seed-rbac.ts';
import { type Access, directAccess, setUpStatic } from '../support/set-ups.ts';
import {
  type GatewayBed,
  gatewayAccess,
  openGatewayBed,
  setUpBehindGateway,
  untilLeaseIs,
} from '../support/transports/gateway-bed.ts';
import { addAgent, openGateway } from '../support/transports/open-gateway.ts';

// What an operator sees and does with gateways, and what becomes of the configs and leases that need them.

let bed: GatewayBed;
beforeAll(async () => {
  bed = await openGatewayBed();
});
afterAll(() => bed[Symbol.asyncDispose]());

const issue = async (config: string) => (await bed.client.leases.issueLease({ config })).lease?.id ?? '';

/** Calls fail at once: sooner than a connection that is waited for, let alone a call (`leaseholdEnvironment`). */
async function expectNotConnected(call: Promise<unknown>, gateway: string): Promise<void> {
  const begun = performance.now();
  expect(await rejectionOf(call)).toMatchObject({
    code: Status.UNAVAILABLE,
    reason: 'GATEWAY_NOT_CONNECTED',
    metadata: { gateway },
    retry: true,
  });
  expect(performance.now() - begun).toBeLessThan(
    1000 * Number(bed.installation.environment['LEASEHOLD_CLUSTER_CONNECT_TIMEOUT']),
  );
}

const refusedLogs = (logs: readonly object[]) =>
  logs.filter((line) => JSON.stringify(line).includes('Leasehold refuses the identity'));

test('its agents are listed, while they are connected', async () => {
  const { name, agent, requester } = await setUpBehindGateway(bed, 'two-agents');
  const second = await addAgent(bed.installation, bed.client, { token: requester.token }, name);
  const find = async () => {
    const { gateways } = await bed.client.gateways.listGateways({});
    return gateways.find((gateway) => gateway.name === name);
  };
  const seen = await find();
  const connected = {
    version: packageJson.version,
    connectTime: expect.any(Date),
    lastSeenTime: expect.any(Date),
    serverAddress: bed.server.relayAddress,
  };
  expect(seen).toMatchObject({ identityCount: 2, agents: [connected, connected] });
  expect(new Set(seen?.agents.map(({ instanceId }) => instanceId)).size).toBe(2);
  expect(new Set(seen?.agents.map(({ identityId }) => identityId)).size).toBe(2);
  expect(Number(seen?.agents[0]?.connectTime)).toBeLessThan(Number(seen?.agents[1]?.connectTime));
  await eventually(async () =>
    expect(Number((await find())?.lastSeenTime)).toBeGreaterThan(Number(seen?.lastSeenTime)),
  );

  await agent.stop();
  await eventually(async () => expect((await find())?.agents).toHaveLength(1));
  expect((await find())?.agents[0]?.instanceId).toBe(seen?.agents[1]?.instanceId);
  await second.agent.stop();
  await eventually(async () => expect((await find())?.agents).toEqual([]));
  expect(Number((await find())?.lastSeenTime)).toBeGreaterThanOrEqual(Number(seen?.lastSeenTime));
});

test('gateways are listed by name, in pages', async () => {
  for (const name of ['page-c', 'page-a', 'page-b']) {
    await bed.client.gateways.createGateway({ name });
  }
  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await bed.client.gateways.listGateways({ pageSize: 2, pageToken });
    expect(page.gateways.length).toBeLessThanOrEqual(2);
    names.push(...page.gateways.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(names).toEqual([...names].sort());
  expect(names.filter((name) => name.startsWith('page-'))).toEqual(['page-a', 'page-b', 'page-c']);
});

test('without an agent an issue fails at once, and what is due is taken down when one comes back', async () => {
  const { name, home, agent } = await setUpBehindGateway(bed, 'away');
  const { lease } = await bed.client.leases.issueLease({ config: name });
  const id = lease?.id ?? '';
  await agent.stop();
  await expectNotConnected(bed.client.leases.issueLease({ config: name }), name);
  await expectNotConnected(bed.client.leases.revokeLease({ id }), name);
  await untilLeaseIs(bed.client, id, LeaseState.LEASE_STATE_REVOKING);
  expect((await bed.client.leases.getLease({ id })).lastError).toContain(name);
  const check = await bed.client.configs.checkConfig({ target: { $case: 'name', value: name } });
  expect(check).toMatchObject({ permissions: [], allAllowed: false, gateway: { name, agents: [] } });

  await home.start();
  await untilLeaseIs(bed.client, id, LeaseState.LEASE_STATE_REVOKED);
  await issue(name);
});

test('CheckConfig shows the gateway with its agents', async () => {
  const { name } = await setUpBehindGateway(bed, 'checked');
  const check = await bed.client.configs.checkConfig({ target: { $case: 'name', value: name } });
  expect(check).toMatchObject({ allAllowed: true, gateway: { name, agents: [{ version: packageJson.version }] } });
  expect(check.permissions.length).toBeGreaterThan(0);
});

test('a gateway that configs name is not deleted but by force, which cuts its agents off', async () => {
  const { name, agent } = await setUpBehindGateway(bed, 'doomed');
  const id = await issue(name);
  expect(await rejectionOf(bed.client.gateways.deleteGateway({ name }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'GATEWAY_IN_USE',
  });
  await issue(name);
  await bed.client.gateways.deleteGateway({ name, force: true });

  await expectNotConnected(bed.client.leases.issueLease({ config: name }), name);
  expect(await rejectionOf(bed.client.leases.revokeLease({ id }))).toMatchObject({ code: Status.UNAVAILABLE });
  expect(await bed.client.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKING });
  await eventually(async () => expect(refusedLogs(agent.logs)).toHaveLength(1));
  expect(JSON.stringify(refusedLogs(agent.logs))).toContain('UNAUTHENTICATED');
});

test('a gateway of the same name that comes later is another one', async () => {
  const { name, requester, config } = await setUpBehindGateway(bed, 'reborn');
  const before = await bed.client.gateways.getGateway({ name });
  await bed.client.gateways.deleteGateway({ name, force: true });
  await openGateway(bed.installation, bed.client, { token: requester.token }, name);
  expect((await bed.client.gateways.getGateway({ name })).uid).not.toBe(before.uid);

  await expectNotConnected(bed.client.leases.issueLease({ config: name }), name);
  await bed.client.configs.createConfig({ config: { ...config, name: 'of-the-new-one' } });
  await issue('of-the-new-one');
});

test('a gateway that no config names any more is deleted without force', async () => {
  const { name } = await setUpBehindGateway(bed, 'retired');
  await bed.client.configs.deleteConfig({ name });
  await bed.client.gateways.deleteGateway({ name });
  expect(await rejectionOf(bed.client.gateways.getGateway({ name }))).toMatchObject({ code: Status.NOT_FOUND });
});

test('revoke_identities cuts off who enrolled before; the gateway goes on with who enrols anew', async () => {
  const { name, agent, requester } = await setUpBehindGateway(bed, 'leaked');
  const id = await issue(name);
  const { enrolmentToken } = await bed.client.gateways.createEnrolmentToken({ gateway: name, revokeIdentities: true });
  await eventually(async () => expect(refusedLogs(agent.logs)).toHaveLength(1));
  await expectNotConnected(bed.client.leases.issueLease({ config: name }), name);

  const home = await bed.installation.openAgentHome({
    enrolmentToken: enrolmentToken?.token ?? '',
    token: requester.token,
  });
  await home.start();
  expect(await bed.client.gateways.getGateway({ name })).toMatchObject({ identityCount: 1, agents: [{}] });
  const revoked = await bed.client.leases.revokeLease({ id });
  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
});

test('a config moves from its gateway to straight and back; its leases are taken down the way that they came', async () => {
  const { name, home, agent, role, namespaces } = await setUpBehindGateway(bed, 'moving');
  const update = (access: Access, path: string) =>
    bed.client.configs.updateConfig({ config: { name, access }, updateMask: [path] });
  const byGateway = await issue(name);
  expect(await rejectionOf(update(directAccess(bed.cluster, ''), 'direct'))).toMatchObject({
    code: Status.INVALID_ARGUMENT,
    fields: ['config.direct.token'],
  });
  const { token } = await createDynamicRequester(bed.admin, namespaces[0], { clusterRole: role });
  await update(directAccess(bed.cluster, token), 'direct');
  await agent.stop();
  const straight = await issue(name);
  await expectNotConnected(bed.client.leases.revokeLease({ id: byGateway }), name);

  const next = await home.start();
  await untilLeaseIs(bed.client, byGateway, LeaseState.LEASE_STATE_REVOKED);
  await update(gatewayAccess(name), 'gateway');
  const again = await issue(name);
  await next.stop();
  expect(await bed.client.leases.revokeLease({ id: straight })).toMatchObject({
    state: LeaseState.LEASE_STATE_REVOKED,
  });
  await expectNotConnected(bed.client.leases.revokeLease({ id: again }), name);
});

test('as a network path it leads only where its settings allow, and a stored token goes by no other gateway', async () => {
  const { name, requester, config } = await setUpBehindGateway(bed, 'path');
  const { value } = directAccess(bed.cluster, requester.token);
  const access = { $case: 'direct', value: { ...value, gateway: name } } as const;
  await bed.client.configs.createConfig({ config: { ...config, name: 'by-path', access } });
  await issue('by-path');

  const elsewhere = { ...access, value: { ...access.value, url: 'https://127.0.0.1:1' } };
  const rejection = await rejectionOf(
    bed.client.configs.createConfig({ config: { ...config, name: 'elsewhere', access: elsewhere } }),
  );
  expect(rejection).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'GATEWAY_REFUSED',
    metadata: { gateway: name },
  });
  await bed.client.gateways.createGateway({ name: 'another-path' });
  const moved = { ...access, value: { ...access.value, gateway: 'another-path', token: '' } };
  expect(
    await rejectionOf(
      bed.client.configs.updateConfig({ config: { name: 'by-path', access: moved }, updateMask: ['direct.gateway'] }),
    ),
  ).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.token'] });
});

test.each([
  ['gateway authentication', gatewayAccess('nowhere'), 'config.gateway.name'],
  [
    'a network path',
    { $case: 'direct', value: { url: 'https://127.0.0.1:1', token: 'x', gateway: 'nowhere' } } as const,
    'config.direct.gateway',
  ],
])('%s by a gateway that is not there is refused', async (_, access, field) => {
  const { config } = await setUpStatic(bed, 'nowhere');
  expect(await rejectionOf(bed.client.configs.createConfig({ config: { ...config, access } }))).toMatchObject({
    code: Status.INVALID_ARGUMENT,
    fields: [field],
  });
});
