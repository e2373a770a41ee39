import { buildConnector } from 'undici';
import { type Access, clusterOf, type DirectAccess } from '../domain/config.ts';
import type { Secret } from '../domain/secret.ts';
import { trustIn } from '../domain/trust.ts';
import type { GatewayDialer } from '../ports/gateway-dialer.ts';
import type { EgressGuard } from './egress/egress-guard.ts';

/** How the calls of one access find their way to the API server. */
export interface Route {
  /** Names the cluster to people. */
  cluster: string;
  origin: string;
  /** Name of the one that it leads through. */
  gateway: string | undefined;
  /** Stands before the path of each call; without a slash at its end. */
  basePath: string;
  connect: buildConnector.connector;
  /** undefined: a gateway adds its own. */
  token: Secret | undefined;
}

/** Failures to make a connection. Nothing was sent over a connection that never was. */
const failures = new WeakSet<object>();

/**
 * `timeoutMs` is for TCP and TLS together; through a gateway, for the channel, and once more for TLS inside of it. Where a
 * gateway dials is for its own settings to say, not for `egress`.
 */
export function routeTo(access: Access, timeoutMs: number, dialer: GatewayDialer, egress: EgressGuard): Route {
  return access.kind === 'direct'
    ? directRoute(access, timeoutMs, dialer, egress)
    : {
        cluster: clusterOf(access),
        // The gateway speaks HTTP in the clear to us, inside of its own TLS. Where it calls is its own affair.
        origin: 'http://gateway',
        gateway: access.gateway.name,
        basePath: '',
        connect: noted((_options, callback) => {
          dialer.dial(access.gateway, 'api-server', timeoutMs).then(
            // An http client wants no more of a socket than a channel has.
            (channel) => callback(null, channel as never),
            (error: Error) => callback(error, null),
          );
        }),
        token: undefined,
      };
}

function directRoute(access: DirectAccess, timeoutMs: number, dialer: GatewayDialer, egress: EgressGuard): Route {
  const { origin, pathname, hostname, port } = new URL(access.url);
  const { tls, gateway } = access;
  const tlsOptions = {
    timeout: timeoutMs,
    allowH2: false,
    rejectUnauthorized: !tls.insecureSkipVerify,
    ...trustIn(tls.caPem),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
  const connect =
    gateway === undefined ? egress.connector(tlsOptions, `config:${access.configUid}`) : buildConnector(tlsOptions);
  const address = `${hostname}:${port || 443}`;
  return {
    cluster: clusterOf(access),
    origin,
    gateway: gateway?.name,
    basePath: pathname.replace(/\/$/, ''),
    connect: noted(
      gateway === undefined
        ? connect
        : (options, callback) => {
            dialer.dial(gateway, { address }, timeoutMs).then(
              // TLS is ours, from end to end: the gateway carries what it cannot read.
              (channel) => connect({ ...options, httpSocket: channel as never }, callback),
              (error: Error) => callback(error, null),
            );
          },
    ),
    token: access.token,
  };
}

/** Whether a call failed before it was sent, because there was no connection for it. */
export function isConnectFailure(error: unknown): boolean {
  return typeof error === 'object' && error !== null && failures.has(error);
}

function noted(connect: buildConnector.connector): buildConnector.connector {
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
