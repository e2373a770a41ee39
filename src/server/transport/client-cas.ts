import { X509Certificate } from 'node:crypto';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A longer chain is none. */
const MAX_CHAIN = 10;

/** CAs whose client certificates count. */
export interface ClientCas {
  pem: Buffer;
  certificates: readonly X509Certificate[];
}

/** Throws an Error where it is no PEM of certificates. */
export function parseClientCas(pem: Buffer): ClientCas {
  const certificates = (String(pem).match(PEM_CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
  if (certificates.length === 0) {
    throw new Error('there is no PEM certificate in it');
  }
  return { pem, certificates };
}

/** `expired`: one of the chain has ended or not begun. `unknown`: it leads to none of the CAs. */
export type ChainState = 'good' | 'expired' | 'unknown';

/**
 * Whether a chain that was verified when its connection was made still counts, by the CAs of now. Its own certificate
 * comes first. For what was never verified this is not enough: it does not look at what a CA may be used for.
 */
export function chainState(
  [own, ...others]: readonly X509Certificate[],
  cas: readonly X509Certificate[],
  now: number,
): ChainState {
  let leadsToCa = false;
  let current = own;
  for (let length = 0; current && length < MAX_CHAIN; length++) {
    const child = current;
    if (!isValid(child, now)) {
      return 'expired';
    }
    const anchors = cas.filter((ca) => isIssuer(ca, child));
    if (anchors.some((ca) => isValid(ca, now))) {
      return 'good';
    }
    leadsToCa ||= anchors.length > 0;
    current = others.find((ca) => ca.fingerprint256 !== child.fingerprint256 && isIssuer(ca, child));
  }
  return leadsToCa ? 'expired' : 'unknown';
}

function isIssuer(ca: X509Certificate, child: X509Certificate): boolean {
  return child.checkIssued(ca) && child.verify(ca.publicKey);
}

function isValid({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now < Date.parse(validTo);
}
