import type { Config } from '../domain/config.ts';

/** As if the config allowed leases only in these of its namespaces. */
export function within(config: Config, allowedNamespaces: readonly string[]): Config {
  const { credential } = config;
  return credential.kind === 'dynamic' ? { ...config, credential: { ...credential, allowedNamespaces } } : config;
}
