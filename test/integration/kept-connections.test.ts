import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startAnsweringServer } from '../support/answering-server.ts';
import { directCluster } from '../support/direct-cluster.ts';

test('deletes keep their connections, though they have a body', async () => {
  const sockets = new Set<Socket>();
  const bodies: string[] = [];
  const server = await startAnsweringServer(async (request, response) => {
    sockets.add(request.socket);
    bodies.push((await request.toArray()).join(''));
    response.end(JSON.stringify({ kind: 'Status', status: 'Success' }));
  });
  const cluster = directCluster(server, 'token');
  const names = Array.from({ length: 10 }, (_, index) => `account-${index}`);
  for (const name of names) {
    await cluster.remove({ kind: 'ServiceAccount', namespace: 'team', name, uid: `uid-of-${name}` });
  }
  server.stop();

  expect(bodies.map((body) => JSON.parse(body).preconditions.uid)).toEqual(names.map((name) => `uid-of-${name}`));
  // The next call may come a moment before the connection of the last one is free again.
  expect(sockets.size).toBeLessThanOrEqual(2);
});
