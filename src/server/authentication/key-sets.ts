import { resolve } from 'node:path';
import type { Logger } from '../../shared/telemetry/logger.ts';
import type { KeysSpec } from './callers-file.ts';
import { discoverJwks } from './discover.ts';
import { openFileKeySet } from './file-key-set.ts';
import { HttpsJson } from './https-json.ts';
import type { KeySet } from './key-set.ts';
import { RemoteKeySet } from './remote-key-set.ts';

/** The key sets in use. One that a reload of the callers leaves as it was is kept: its issuer may be away just then. */
export class KeySets {
  readonly #folder: string;
  readonly #log: Logger;
  #open = new Map<string, KeySet>();

  /** Paths are relative to `folder`. */
  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Opens what is wanted by `open` and closes what is not any more; where it throws, all stays as it was. */
  async replace<T>(open: (keysOf: (issuer: string, spec: KeysSpec) => Promise<KeySet>) => Promise<T>): Promise<T> {
    const wanted = new Map<string, KeySet>();
    const closeBut = (kept: Map<string, KeySet>, closed: Map<string, KeySet>) => {
      for (const [id, keys] of closed) {
        if (kept.get(id) !== keys) {
          keys.close();
        }
      }
    };
    try {
      const opened = await open(async (issuer, spec) => {
        const id = JSON.stringify([issuer, spec]);
        const keys = this.#open.get(id) ?? wanted.get(id) ?? (await this.#openOne(issuer, spec));
        wanted.set(id, keys);
        return keys;
      });
      closeBut(wanted, this.#open);
      this.#open = wanted;
      return opened;
    } catch (error) {
      closeBut(this.#open, wanted);
      throw error;
    }
  }

  close(): void {
    for (const keys of this.#open.values()) {
      keys.close();
    }
  }

  async #openOne(issuer: string, spec: KeysSpec): Promise<KeySet> {
    if ('file' in spec) {
      return openFileKeySet(resolve(this.#folder, spec.file), this.#log);
    }
    const https = new HttpsJson(this.#absolute(spec));
    const keys = new RemoteKeySet(
      issuer,
      () => ('url' in spec ? https.get(spec.url) : discoverJwks(issuer, https)),
      this.#log,
    );
    // An issuer that is away is no reason not to start: its callers hear that it is.
    await keys.fetch();
    return keys;
  }

  #absolute(files: { caFile?: string | undefined; tokenFile?: string | undefined }) {
    const at = (path: string | undefined) => (path === undefined ? undefined : resolve(this.#folder, path));
    return { caFile: at(files.caFile), tokenFile: 'tokenFile' in files ? at(files.tokenFile) : undefined };
  }
}
