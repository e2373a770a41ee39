import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Action } from '../../src/shared/ports/authorizer.ts';
import { as } from '../support/fake-callers.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type Ground, PREPARE, RPCS } from '../support/rpcs.ts';
import { setUpStatic } from '../support/set-ups.ts';
import { writeRelayCertificate } from '../support/transports/relay-certificate.ts';
import { openWorld, type World } from '../support/world.ts';

vi.mock('../../src/server/middleware/authentication.ts', () => import('../support/fake-callers.ts'));

// Every RPC, by somebody who may do all but that, and by somebody who may do only that.

let folder: string;
let world: World;
let ground: Ground;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'permissions-'));
  const permits = RPCS.map(
    (rpc) => `permit (principal in Leasehold::Group::"may-${rpc}", action == Leasehold::Action::"${rpc}", resource);`,
  );
  await writeFile(
    join(folder, 'all.cedar'),
    ['permit (principal in Leasehold::Group::"admins", action, resource);', ...permits].join('\n'),
  );
  world = await openWorld({
    LEASEHOLD_POLICIES: folder,
    LEASEHOLD_RELAY_LISTEN: '127.0.0.1:0',
    ...(await writeRelayCertificate(folder)).ofServers,
  });
  const { config } = await setUpStatic(world, 'ground', { revocable: true });
  await world.configs.createConfig({ config });
  ground = { admin: world, config };
});
afterAll(async () => {
  await world.stop();
  await rm(folder, { recursive: true });
});

const may = (...rpcs: Action[]) =>
  as(
    'caller',
    rpcs.map((rpc) => `may-${rpc}`),
  );

/** The last audit event of an RPC, as it is logged. */
function auditOf(rpc: Action): unknown {
  const lines = world.logs
    .map((line) => JSON.parse(line))
    .filter(({ msg, audit }) => msg === 'audit' && audit.action === rpc);
  return lines.at(-1);
}

describe.each(RPCS)('%s', (rpc) => {
  test('is denied to whoever may do everything else, and that is audited', async () => {
    const call = await PREPARE[rpc](ground);
    const others = RPCS.filter((other) => other !== rpc);
    expect(await rejectionOf(call(world, may(...others)))).toEqual({
      code: Status.PERMISSION_DENIED,
      message: expect.stringContaining(rpc),
      fields: [],
      reason: 'PERMISSION_DENIED',
      metadata: {},
      retry: false,
    });
    expect(auditOf(rpc)).toMatchObject({
      principal: { kind: 'api-key', id: 'caller', issuer: 'leasehold' },
      audit: { action: rpc, code: 'PERMISSION_DENIED' },
    });
  });

  test('is done for whoever may do it', async () => {
    const call = await PREPARE[rpc](ground);
    await call(world, may(rpc));
  });
});
