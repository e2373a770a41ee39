import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { expect, test } from 'vitest';
import { type Certificate, makeCa } from '../support/certificates.ts';

const ca = await makeCa();

async function errorOf(certificate: Certificate, client: { ca: string; host: string; servername?: string }) {
  const server = createServer({ ...certificate }, (socket) => socket.end()).listen(0, client.host);
  await once(server, 'listening');
  const socket = connect({ ...client, port: (server.address() as AddressInfo).port });
  try {
    await once(socket, 'secureConnect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
    server.close();
  }
}

test.each([
  ['the loopback address', { host: '127.0.0.1' }],
  ['localhost', { host: '127.0.0.1', servername: 'localhost' }],
])('a certificate of the test CA is trusted at %s', async (_name, client) => {
  expect(await errorOf(await ca.issue(), { ca: ca.caPem, ...client })).toBeUndefined();
});

test('another CA does not verify it, nor does another name', async () => {
  const other = await makeCa();
  expect(await errorOf(await ca.issue(), { ca: other.caPem, host: '127.0.0.1' })).toBe(
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  );
  const foreign = { ca: ca.caPem, host: '127.0.0.1', servername: 'relay.example' };
  expect(await errorOf(await ca.issue(), foreign)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await errorOf(await ca.issue(['relay.example']), foreign)).toBeUndefined();
});
