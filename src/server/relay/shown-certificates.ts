import { X509Certificate } from 'node:crypto';
import { certificateHash } from '../../shared/tunnel/signed-texts.ts';
import type { KeyPair } from '../transport/tls-context.ts';

/** Longer than an agent takes from its connection to its proof. */
const STILL_COUNTS_MS = 30_000;

/** Which certificates agents may have seen whose streams come now: one that comes during a change saw the one before. */
export class ShownCertificates {
  #present: Buffer;
  #before: { hash: Buffer; until: number } | undefined;

  constructor(pair: KeyPair) {
    this.#present = hashOfFirst(pair);
  }

  replace(pair: KeyPair): void {
    this.#before = { hash: this.#present, until: performance.now() + STILL_COUNTS_MS };
    this.#present = hashOfFirst(pair);
  }

  /** Hashes, as agents sign them. */
  recent(): readonly Buffer[] {
    const before = this.#before && performance.now() < this.#before.until ? [this.#before.hash] : [];
    return [this.#present, ...before];
  }
}

/** A chain begins with the server's own. */
function hashOfFirst({ chain }: KeyPair): Buffer {
  return certificateHash(new X509Certificate(chain).raw);
}
