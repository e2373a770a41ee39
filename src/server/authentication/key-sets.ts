import { resolve } from 'node:path';
import type { EgressGuard } from '../../shared/kubernetes/egress/egress-guard.ts';
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
  readonly #egress: EgressGuard;
  #open = new Map<string, Promise<KeySet>>();

  /** Paths are relative to `folder`. */
  constructor(folder: string, log: Logger, egress: EgressGuard) {
    this.#folder = folder;
    this.#log = log;
    this.#egress = egress;
  }

  /** Opens what is wanted by `open` and closes what is not any more; where it throws, all stays as it was. */
  async replace<T>(open: (keysOf: (issuer: string, spec: KeysSpec) => Promise<KeySet>) => Promise<T>): Promise<T> {
    const before = this.#open;
    const wanted = new Map<string, Promise<KeySet>>();
    const keysOf = (issuer: string, spec: KeysSpec) => {
      const id = JSON.stringify([issuer, spec]);
      const keys = wanted.get(id) ?? before.get(id) ?? this.#openOne(issuer, spec);
      wanted.set(id, keys);
      return keys;
    };
    try {
      const opened = await open(keysOf);
      this.#open = wanted;
      await closeBut(wanted, before);
      return opened;
    } catch (error) {
      await closeBut(before, wanted);
      throw error;
    }
  }

  close(): void {
    void closeBut(new Map(), this.#open);
  }

  async #openOne(issuer: string, spec: KeysSpec): Promise<KeySet> {
    if ('file' in spec) {
      return openFileKeySet(resolve(this.#folder, spec.file), this.#log);
    }
    const https = new HttpsJson(this.#absolute(spec), this.#egress);
    await https.requireUsable('url' in spec ? spec.url : issuer);
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

/** Closes those that are not kept, also such as are still being opened. */
async function closeBut(kept: Map<string, Promise<KeySet>>, all: Map<string, Promise<KeySet>>): Promise<void> {
  const closed = [...all].filter(([id, keys]) => kept.get(id) !== keys).map(([, keys]) => keys);
  for (const outcome of await Promise.allSettled(closed)) {
    if (outcome.status === 'fulfilled') {
      outcome.value.close();
    }
  }
}
