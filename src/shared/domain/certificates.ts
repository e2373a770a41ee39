import { X509Certificate } from 'node:crypto';
import { lookOfNoPem } from './look-of-no-pem.ts';
import { Malformed } from './malformed.ts';
import { type PemBlock, pemBlocks } from './pem.ts';

// OpenSSL stops at the first certificate of a PEM that it cannot read, without a word, and takes those before it for all.
// Here each is read, so none is lost.

/** Certificates as they were given, in their order. */
export interface Certificates {
  list: readonly [X509Certificate, ...X509Certificate[]];
  /** Them and nothing else, in the form that every library reads. */
  pem: string;
}

/** RFC 7468 (5.1), and the older name and OpenSSL's own. */
const LABELS = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];

const SEQUENCE = 0x30;
const REJECTED = 0xa0;

/** 1.3.6.1.5.5.7.3.1, in DER. */
const SERVER_AUTH = Buffer.from('06082b06010505070301', 'hex');

/** What else is given for a certificate, and what to do. */
const OTHER_LABELS: readonly [RegExp, string][] = [
  [/PRIVATE KEY$/, 'contains a private key: give the certificates alone'],
  [/CERTIFICATE REQUEST$/, 'contains a certificate signing request: give the certificate that the CA made of it'],
  [/CRL$/, 'contains a certificate revocation list, which would not be looked at: give the certificates alone'],
  [/^(?:PKCS7|CMS)$/, 'contains PKCS #7: take the certificates out of it with `openssl pkcs7 -print_certs`'],
  [/PUBLIC KEY$/, 'contains a public key: give the certificate'],
];

/**
 * Certificates that verify somebody: CAs, or those of the others themselves. Text around them is left out. Throws Malformed
 * where one of them cannot be read, and where there is something else.
 */
export function parseAnchors(pem: string): Certificates {
  return certificatesOf(pem, pemBlocks(pem));
}

/** Certificates that somebody shows, their own first. The private key may stand in the same text. Throws Malformed. */
export function parseChain(pem: string): Certificates {
  return certificatesOf(
    pem,
    pemBlocks(pem).filter(({ label }) => !/PRIVATE KEY$|PARAMETERS$/.test(label)),
  );
}

/** Whether two PEMs hold the same certificates in the same order, whatever stands around them. */
export function isSamePem(one: string | undefined, other: string | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && plain(one) === plain(other));
}

/** What was stored before each certificate was read may be no such PEM. */
function plain(pem: string): string {
  try {
    return parseAnchors(pem).pem;
  } catch (error) {
    if (!(error instanceof Malformed)) {
      throw error;
    }
    return pem;
  }
}

function certificatesOf(text: string, blocks: readonly PemBlock[]): Certificates {
  const other = blocks.find(({ label }) => !LABELS.includes(label));
  if (other) {
    const [, what = `contains a ${other.label}: give certificates`] =
      OTHER_LABELS.find(([label]) => label.test(other.label)) ?? [];
    throw new Malformed(what);
  }
  const [first, ...others] = blocks.map((block, index) => {
    const certificate = read(block);
    if (typeof certificate === 'string') {
      throw new Malformed(lookOfNoPem(text) ?? `certificate ${index + 1} of ${blocks.length} ${certificate}`);
    }
    return certificate;
  });
  if (!first) {
    throw new Malformed(
      lookOfNoPem(text) ?? 'there is no PEM certificate in it: it has no -----BEGIN CERTIFICATE----- line',
    );
  }
  const list: Certificates['list'] = [first, ...others];
  return { list, pem: list.map((certificate) => certificate.toString()).join('') };
}

/** A string says why it cannot be read. */
function read({ label, body, problem }: PemBlock): X509Certificate | string {
  const base64 = body.replace(/\s/g, '');
  if (problem !== undefined) {
    return problem;
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    return 'is not base64 between its BEGIN and END lines';
  }
  const der = Buffer.from(base64, 'base64');
  const certificate = readDer(der);
  if (!certificate || base64.length % 4 !== 0) {
    return 'is cut off or damaged: what is between its BEGIN and END lines is not an X.509 certificate';
  }
  const behind = der.subarray(certificate.raw.length);
  if (label === 'TRUSTED CERTIFICATE') {
    return isTrustedForServers(behind)
      ? certificate
      : 'is not trusted for servers by the settings that it carries: write it as a plain CERTIFICATE (openssl x509 -clrtrust -clrreject)';
  }
  return behind.length > 0
    ? 'has something behind it between its BEGIN and END lines: each certificate needs its own'
    : certificate;
}

function readDer(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    // It would also read a PEM that is encoded once more.
    return certificate.raw.equals(der.subarray(0, certificate.raw.length)) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What OpenSSL may put behind a certificate (X509_CERT_AUX): a SEQUENCE of what it is trusted for, what it is rejected for
 * ([0]), and others. Without either it is trusted for all.
 */
function isTrustedForServers(auxiliary: Buffer): boolean {
  const settings = auxiliary.subarray(2);
  const trustLength = settings[0] === SEQUENCE ? 2 + (settings[1] ?? 0) : 0;
  const isTrusted = trustLength === 0 || settings.subarray(0, trustLength).includes(SERVER_AUTH);
  return isTrusted && settings[trustLength] !== REJECTED;
}
