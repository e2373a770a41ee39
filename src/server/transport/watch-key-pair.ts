import type { Logger } from '../../shared/telemetry/logger.ts';
import { WatchedFiles } from '../../shared/watched-files.ts';
import { type KeyPair, parseKeyPair } from './tls-context.ts';

/** A certificate chain and its private key, read again where they change. Throws an Error where they are not good. */
export function watchKeyPair(
  what: string,
  chain: string,
  key: string,
  log: Logger,
  setting: string,
): Promise<WatchedFiles<KeyPair>> {
  return WatchedFiles.open({
    what,
    setting,
    paths: [chain, key],
    parse: ([chain = Buffer.of(), key = Buffer.of()]) => parseKeyPair(chain, key),
    log,
  });
}
