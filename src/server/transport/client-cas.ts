import { X509Certificate } from 'node:crypto';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

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

/** Whether one of the CAs issued it, itself, and counts now. For what was verified before, by other CAs. */
export function isIssuedByOneOf({ certificates }: ClientCas, certificate: X509Certificate, now: number): boolean {
  return certificates.some((ca) => isValid(ca, now) && certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
}

export function isValid({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now < Date.parse(validTo);
}
