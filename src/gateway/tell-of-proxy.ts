import { proxyVariables } from '../shared/proxy-environment.ts';

/** Those that gRPC reads, the first that is set. */
const FOLLOWED = ['grpc_proxy', 'https_proxy', 'http_proxy'];

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Tells the log, once, which way the agent's stream takes where the environment names an HTTP proxy. */
export function tellOfProxy(environment: NodeJS.ProcessEnv, log: Log): void {
  const variables = proxyVariables(environment);
  const [variable] = FOLLOWED.filter((name) => variables.includes(name));
  if (variable !== undefined) {
    log.info(
      { variable },
      'the agent connects to Leasehold through the HTTP proxy of the environment, and to its API server and targets directly',
    );
  } else if (variables.length > 0) {
    log.warn(
      { variables },
      `the HTTP proxy of the environment is ignored: gRPC reads ${FOLLOWED.join(', ')} and no_proxy, in lower case`,
    );
  }
}
