import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startAnsweringServer } from '../support/answering-server.ts';
import { directCluster } from '../support/direct-cluster.ts';

test('deletes keep their connection, though they have a body', async () => {
  const sockets = new Set<Socket>();
  const bodies: string[] = [];
  const server = await startAnsweringServer(async (request, response) => {
    sockets.add(request.socket);
    bodies.push((await request.toArray()).join(''));
    response.end(JSON.stringify({ kind: 'Status', status: 'Success' }));
  });
  const cluster = directCluster(server, 'token');
  for (const name of ['a', 'b', 'c']) {
    await cluster.remove({ kind: 'ServiceAccount', namespace: 'team', name, uid: `uid-of-${name}` });
  }
  server.stop();

  expect(bodies.map((body) => JSON.parse(body).preconditions.uid)).toEqual(['uid-of-a', 'uid-of-b', 'uid-of-c']);
  expect(sockets.size).toBe(1);
});
