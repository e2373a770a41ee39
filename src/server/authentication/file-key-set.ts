import { parseJson } from '../../shared/domain/parse-json.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { WatchedFiles } from '../../shared/watched-files.ts';
import { type KeySet, parseKeys } from './key-set.ts';

/** The keys of a JWKS file, read again where it changes. Throws where it cannot be read or is none. */
export async function openFileKeySet(path: string, log: Logger): Promise<KeySet> {
  const file = await WatchedFiles.open({
    what: 'a JSON Web Key Set',
    paths: [path],
    parse: ([content]) => parseKeys(parseJson(String(content))),
    log,
  });
  return { keyOf: (header, token) => file.current(header, token), close: () => file.close() };
}
