import type { X509Certificate } from 'node:crypto';
import { parseAnchors } from '../../shared/domain/certificates.ts';

/** CAs whose client certificates count. */
export interface ClientCas {
  pem: string;
  certificates: readonly X509Certificate[];
}

/** Throws an Error where it is no PEM of certificates. */
export function parseClientCas(pem: Buffer): ClientCas {
  const { list, pem: anchors } = parseAnchors(String(pem));
  return { pem: anchors, certificates: list };
}

/** Whether one of the CAs issued it, itself, and counts now. For what was verified before, by other CAs. */
export function isIssuedByOneOf({ certificates }: ClientCas, certificate: X509Certificate, now: number): boolean {
  return certificates.some((ca) => isValid(ca, now) && isIssuedBy(ca, certificate));
}

/**
 * Subjects of the CAs that verify nobody: a server of Node leads the certificate of a client up to a root, one that is signed
 * by itself, and theirs is not among them.
 */
export function withoutRoot({ certificates }: ClientCas): string[] {
  const rooted = new Set(certificates.filter((ca) => isIssuedBy(ca, ca)));
  for (let before = -1; before < rooted.size; ) {
    before = rooted.size;
    for (const ca of certificates.filter((one) => !rooted.has(one) && [...rooted].some((by) => isIssuedBy(by, one)))) {
      rooted.add(ca);
    }
  }
  return certificates.filter((ca) => !rooted.has(ca)).map(({ subject }) => subject);
}

function isIssuedBy(ca: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

export function isValid({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now < Date.parse(validTo);
}
