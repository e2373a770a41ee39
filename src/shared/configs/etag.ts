import type { Config } from '../domain/config.ts';
import { Aborted } from '../domain/errors.ts';

/** Changes with every change of the config (AIP-154). */
export function etagOf(config: Pick<Config, 'uid' | 'version'>): string {
  return `${config.uid}:${config.version}`;
}

/** Throws Aborted where the caller saw another version; an empty etag means any. */
export function requireEtag(config: Pick<Config, 'name' | 'uid' | 'version'>, etag: string): void {
  if (etag !== '' && etag !== etagOf(config)) {
    throw new Aborted(
      'CONFIG_CHANGED',
      `config ${JSON.stringify(config.name)} has changed since it was read; read it again`,
    );
  }
}
