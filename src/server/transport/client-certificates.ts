import { createHash, X509Certificate } from 'node:crypto';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { type ChainState, type ClientCas, chainState } from './client-cas.ts';

/** How long it is remembered that a chain counts: verifying it costs as much as a call. Its own end is looked at each time. */
const REMEMBERED_MS = 1_000;

const MAX_REMEMBERED = 1_000;

interface Remembered {
  certificate: X509Certificate;
  cas: ClientCas;
  state: ChainState;
  at: number;
}

/** Looks at the client certificates of connections again, with each call: they end, and CAs are taken away. */
export class ClientCertificates {
  readonly #cas: () => ClientCas;
  readonly #isRequired: boolean;
  readonly #remembered = new Map<string, Remembered>();

  constructor(cas: () => ClientCas, { isRequired }: { isRequired: boolean }) {
    this.#cas = cas;
    this.#isRequired = isRequired;
  }

  /**
   * The client's own certificate; undefined where it showed none. `chain`: DER, as it was verified when the connection was
   * made. Throws Unauthenticated where that does not count any more, whatever else the caller shows.
   */
  present([own, ...others]: readonly Uint8Array[], now: number): X509Certificate | undefined {
    if (!own) {
      if (this.#isRequired) {
        throw new Unauthenticated('CREDENTIALS_MISSING', 'a client certificate is required');
      }
      return undefined;
    }
    const { certificate, state } = this.#judge(own, others, now);
    if (state === 'expired' || Date.parse(certificate.validTo) <= now) {
      throw new Unauthenticated(
        'CREDENTIALS_EXPIRED',
        'the client certificate of this connection expired, or a CA of it; connect anew with another',
      );
    }
    if (state === 'unknown') {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the client certificate of this connection is of no CA that counts any more; connect anew with another',
      );
    }
    return certificate;
  }

  #judge(own: Uint8Array, others: readonly Uint8Array[], now: number): Remembered {
    const cas = this.#cas();
    const id = hashOf([own, ...others]);
    const known = this.#remembered.get(id);
    if (known && known.cas === cas && known.at <= now && now < known.at + REMEMBERED_MS) {
      return known;
    }
    const certificate = new X509Certificate(own);
    const chain = [certificate, ...others.map((der) => new X509Certificate(der))];
    const judged = { certificate, cas, state: chainState(chain, cas.certificates, now), at: now };
    this.#remember(id, judged);
    return judged;
  }

  #remember(id: string, judged: Remembered): void {
    this.#remembered.delete(id);
    this.#remembered.set(id, judged);
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size > MAX_REMEMBERED) {
      this.#remembered.delete(oldest);
    }
  }
}

function hashOf(chain: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const certificate of chain) {
    hash.update(certificate);
  }
  return hash.digest('base64');
}
