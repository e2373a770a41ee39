import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { Agent } from '../../src/gateway/agent.ts';
import type { Enrolment } from '../../src/gateway/enrol.ts';
import { IdentityFile } from '../../src/gateway/identity-file.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { TunnelClient, type TunnelHandlers, tunnelService } from '../../src/shared/tunnel/tunnel-service.ts';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';

const servers: Server[] = [];
const folders: TempFolder[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.forceShutdown();
  }
  await Promise.all(folders.splice(0).map((folder) => folder.remove()));
});

async function serve(handlers: TunnelHandlers): Promise<string> {
  const server = new Server();
  servers.push(server);
  server.addService(tunnelService, handlers);
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(`127.0.0.1:${port}`),
    ),
  );
}

async function newcomer(): Promise<Enrolment> {
  const folder = await makeTempFolder('identity');
  folders.push(folder);
  return {
    identity: { privateKey: generateKeyPairSync('ed25519').privateKey },
    file: new IdentityFile(`${folder.path}/identity.json`),
    token: new Secret('once'),
  };
}

test('an agent that is stopped while it enrols attaches nowhere, and keeps its identity', async () => {
  const asked = Promise.withResolvers<() => void>();
  let attaches = 0;
  const identityId = randomUUID();
  const address = await serve({
    enrol: (_call, answer) => asked.resolve(() => answer(null, { identityId, gateway: 'test' })),
    // A server that does not answer.
    attach: () => {
      attaches += 1;
    },
    forward: () => undefined,
  });
  const identity = await newcomer();
  const agent = new Agent({
    servers: [{ address, connect: () => new TunnelClient(address, credentials.createInsecure()) }],
    identity,
    instance: { instanceId: randomUUID(), version: '0.0.0' },
    accept: () => Promise.reject(new Error('not asked')),
    log: createLogger('test', 'silent'),
  });
  const answer = await asked.promise;
  const stopped = agent.stop();
  answer();
  await stopped;
  expect(attaches).toBe(0);
  expect(await identity.file.read()).toMatchObject({ identityId });
});
