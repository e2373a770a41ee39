import { buildConnector } from 'undici';
import type { Access } from '../domain/config.ts';

/** Failures to make a connection. Nothing was sent over a connection that never was. */
const failures = new WeakSet<object>();

/** Makes connections with the TLS options of an access; `timeoutMs` is for TCP and TLS together. */
export function connectorFor({ tls }: Pick<Access, 'tls'>, timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    allowH2: false,
    rejectUnauthorized: !tls.insecureSkipVerify,
    ...(tls.caPem === undefined ? {} : { ca: tls.caPem }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  });
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error) {
        failures.add(error);
        callback(error, null);
      } else {
        callback(null, socket);
      }
    });
}

/** Whether a call failed before it was sent, because there was no connection for it. */
export function isConnectFailure(error: unknown): boolean {
  return typeof error === 'object' && error !== null && failures.has(error);
}
