import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Certificate } from './certificates.ts';

/** What stands at a cluster's URL and answers as it likes. */
export interface AnsweringServer {
  url: string;
  /** Verifies it. */
  caPem: string;
  /** Breaks a request's connection off (RST), as a network does. */
  reset(request: IncomingMessage): void;
  stop(): void;
}

/** `shown`: its certificate, of localhost or 127.0.0.1. Default: one of 127.0.0.1, signed by itself. */
export async function startAnsweringServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  shown: Certificate = { key, cert },
): Promise<AnsweringServer> {
  const server = createServer(shown, answer);
  const connections = new Map<number | undefined, Socket>();
  server.on('connection', (socket: Socket) => connections.set(socket.remotePort, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: shown.cert,
    reset: ({ socket }) => void connections.get(socket.remotePort)?.resetAndDestroy(),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Of 127.0.0.1, signed by itself. The key is for these tests only. */
export const cert = `-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUcbY0rAqI7j/78JuuxowrEXy6upswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNDEyNTEyNVoYDzIxMjYxMDMx
MTI1MTI1WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS3WYVJvPMhE5heHoAb9BTKBSDtc1oUTlLmup3Z7n9z9WY9rf7+Ubpz
UIyv8UjNXa33VZwhA8LGebpinXZao/CPo2QwYjAdBgNVHQ4EFgQUMZfOtxmOl80k
xWwBNf9WFu0KwxwwHwYDVR0jBBgwFoAUMZfOtxmOl80kxWwBNf9WFu0KwxwwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IEAuLiXy3V34vc8yDfh7ohAARMyc71pY5KBx+SsKS5HsAiBd0vGUiCrXmYLu4lBT
sKmbBbCern8Vn9S+vLYyre2cTQ==
-----END CERTIFICATE-----`;
export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGSyev+rYH/qZ7MJG
qcgxO2quk0MxvN+6nZ34713HwRGhRANCAAS3WYVJvPMhE5heHoAb9BTKBSDtc1oU
TlLmup3Z7n9z9WY9rf7+UbpzUIyv8UjNXa33VZwhA8LGebpinXZao/CP
-----END PRIVATE KEY-----`;
