import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Action } from '../../src/shared/ports/authorizer.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { connectTo, type LeaseholdClient } from '../support/leasehold.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type Ground, PREPARE, type ReadyCall, RPCS } from '../support/rpcs.ts';
import { setUpStatic } from '../support/set-ups.ts';
import { FORGERIES, makeTokenCallers, type TokenCallers } from '../support/token-callers.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';
import { openWorld, type World } from '../support/world.ts';

// One valid call of every RPC, shown with all that is no good, by somebody who may do everything but that, and at last by
// somebody who may do only that: nobody else gets through.

const folder = await makeTempFolder('permissions');
let world: World;
let callers: TokenCallers;
let client: LeaseholdClient;
let ground: Ground;

const groupOf = (rpc: Action) => `corp-may-${rpc}`;

beforeAll(async () => {
  const permits = RPCS.map(
    (rpc) =>
      `permit (principal in Leasehold::Group::"${groupOf(rpc)}", action == Leasehold::Action::"${rpc}", resource);`,
  );
  await writeFile(
    join(folder.path, 'each.cedar'),
    ['permit (principal in Leasehold::Group::"admins", action, resource);', ...permits].join('\n'),
  );
  callers = await makeTokenCallers(folder.path);
  world = await openWorld({
    ...callers.environment,
    LEASEHOLD_POLICIES: folder.path,
    LEASEHOLD_RELAY_LISTEN: '127.0.0.1:0',
    ...(await writeRelayCertificate(folder.path)).ofServers,
  });
  client = connectTo(world.address, {});
  const { config } = await setUpStatic(world, 'ground', { revocable: true });
  await world.configs.createConfig({ config });
  ground = { admin: world, config };
});
afterAll(async () => {
  client.close();
  await world.stop();
  await folder.remove();
});

/** The last audit event of an RPC, as it is logged. */
function auditOf(rpc: Action): unknown {
  return world.logs
    .map((line) => JSON.parse(line))
    .findLast(({ msg, audit }) => msg === 'audit' && audit.action === rpc);
}

describe.each(RPCS)('%s', (rpc) => {
  let call: ReadyCall;
  beforeAll(async () => {
    call = await PREPARE[rpc](ground);
  });

  test.each(FORGERIES)('is refused to %s', async (what) => {
    const options = await callers.forged[what]('caller', [groupOf(rpc)]);
    expect(await rejectionOf(call(client, options))).toMatchObject({
      code: Status.UNAUTHENTICATED,
      reason: expect.stringMatching(/^CREDENTIALS_/),
    });
  });

  test('is denied to whoever may do everything else, and that is audited', async () => {
    const others = RPCS.filter((other) => other !== rpc).map(groupOf);
    expect(await rejectionOf(call(client, await callers.as('caller', others)))).toEqual({
      code: Status.PERMISSION_DENIED,
      message: expect.stringContaining(rpc),
      fields: [],
      reason: 'PERMISSION_DENIED',
      metadata: {},
      quotas: [],
      retry: false,
    });
    expect(auditOf(rpc)).toMatchObject({
      principal: { kind: 'jwt', id: 'caller', issuer: 'https://issuer.test', groups: others },
      audit: { action: rpc, code: 'PERMISSION_DENIED' },
    });
  });

  test('is done for whoever may do it', async () => {
    await call(client, await callers.as('caller', [groupOf(rpc)]));
  });
});
