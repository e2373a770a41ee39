import { readFileSync } from 'node:fs';
import type { KeyEncryption } from './ports/key-encryption.ts';
import { Keyring } from './sealing/keyring.ts';
import { parseKeyring } from './sealing/parse-keyring.ts';
import type { Settings } from './settings.ts';
import type { Logger } from './telemetry/logger.ts';
import { watchFile } from './watch-file.ts';

/** The id of the one key that comes without a file. */
const ENVIRONMENT_KEY = 'env';

const RELOAD_INTERVAL_MS = 1_000;

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
    await checked(check(keyring), 'LEASEHOLD_SEAL_KEY');
    return { keyring, close() {} };
  }
  const known = readFileSync(path);
  const keyring = new Keyring(parseKeyring(known.toString()));
  await checked(check(keyring), 'LEASEHOLD_KEYRING');
  const close = watchFile(path, {
    intervalMs: RELOAD_INTERVAL_MS,
    known,
    async onChange(file) {
      const content = parseKeyring(file.toString());
      await check(new Keyring(content));
      keyring.replace(content);
      log.info({ primary: keyring.primary, keys: keyring.keyIds }, 'keyring changed');
    },
    onError: (error) =>
      log.error({ err: error, keyring: path }, 'the keyring is not taken; the one before stays in force'),
  });
  return { keyring, close };
}

/** Says where the keys came from. */
async function checked(checking: Promise<void>, setting: string): Promise<void> {
  try {
    await checking;
  } catch (error) {
    throw new Error(`${setting}: ${(error as Error).message}`, { cause: error });
  }
}
