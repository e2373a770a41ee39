/** Of the variables by which programs are told of an HTTP proxy. Their values may hold passwords. */
const PROXY_VARIABLES = /^(?:https?|all|grpc)_proxy$/i;

/** Names of the variables that ask for an HTTP proxy. */
export function proxyVariables(environment: NodeJS.ProcessEnv): string[] {
  return Object.keys(environment)
    .filter((name) => PROXY_VARIABLES.test(name) && environment[name]?.trim())
    .sort();
}

/** For the log of a server or worker, once: who sets them expects that they are followed. */
export function warnOfProxies(
  environment: NodeJS.ProcessEnv,
  log: { warn(fields: object, message: string): void },
): void {
  const variables = proxyVariables(environment);
  if (variables.length > 0) {
    log.warn(
      { variables },
      'the HTTP proxy of the environment is ignored: clusters, issuers and other servers are called directly. ' +
        'A cluster that cannot be reached so needs a gateway (docs/clusters.md)',
    );
  }
}
