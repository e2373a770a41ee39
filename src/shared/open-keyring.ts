import { Unavailable } from './domain/errors.ts';
import type { KeyEncryption } from './ports/key-encryption.ts';
import { Keyring } from './sealing/keyring.ts';
import { parseKeyring } from './sealing/parse-keyring.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';
import { WatchedFiles } from './watched-files.ts';

/** The id of the one key that comes without a file. */
const ENVIRONMENT_KEY = 'env';

export interface OpenKeyring {
  keyring: Keyring;
  /** Ends the watching of its file. */
  close(): void;
}

/**
 * The keyring of the settings: a file, which is read anew when it changes, or a single key. `check` throws where what is
 * stored wants other keys: at the start that ends the process, later the keys of before stay in force. Throws an Error.
 */
export async function openKeyring(
  { LEASEHOLD_KEYRING: path, LEASEHOLD_SEAL_KEY: key }: Settings,
  log: Logger,
  check: (keys: KeyEncryption) => Promise<void>,
): Promise<OpenKeyring> {
  if (path === undefined) {
    const keys = new Map(key ? [[ENVIRONMENT_KEY, key]] : []);
    const keyring = new Keyring({ primary: ENVIRONMENT_KEY, keys });
    await check(keyring).catch((error: Error) => {
      throw storeErrorIn(error) ?? new Error(`LEASEHOLD_SEAL_KEY: ${error.message}`, { cause: error });
    });
    return { keyring, close() {} };
  }
  const opening = WatchedFiles.open({
    what: 'the keyring (LEASEHOLD_KEYRING)',
    paths: [path],
    async parse([text = Buffer.of()]) {
      const content = parseKeyring(text.toString());
      await check(new Keyring(content));
      return content;
    },
    tell: ({ primary, keys }) => ({ primary, keys: [...keys.keys()] }),
    log,
  });
  const file = await opening.catch((error: Error) => {
    throw storeErrorIn(error.cause) ?? error;
  });
  const keyring = new Keyring(file.current);
  file.onReload((content) => keyring.replace(content));
  return { keyring, close: () => file.close() };
}

/** A store that cannot be asked says nothing against the keys. */
function storeErrorIn(error: unknown): Unavailable | undefined {
  return error instanceof Unavailable ? error : undefined;
}
