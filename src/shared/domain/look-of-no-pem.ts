import { X509Certificate } from 'node:crypto';

/** As OpenSSL writes a certificate, in bytes that are no text: a SEQUENCE with a length of two bytes. */
const DER_AS_TEXT = /^0[\u0082\ufffd]/;

const LOOKS: readonly [is: (text: string) => boolean, hint: string][] = [
  [
    (text) => /-----\\{1,4}(?:r\\{1,4})?n/.test(text),
    'looks like a PEM whose line breaks are written as \\n: give real line breaks',
  ],
  [
    (text) => isOfPem(decoded(text)),
    'looks like the base64 of a PEM, as certificate-authority-data of a kubeconfig is: decode it once (base64 -d)',
  ],
  [
    (text) => isOfPem(decoded(decoded(text) ?? '')),
    'looks like the base64 of the base64 of a PEM, as a Secret shows certificate-authority-data: decode it twice',
  ],
  [
    (text) => isOfPem(decoded(firstPadded(text))),
    'looks like several PEMs, each in base64: decode each on its own (base64 -d), and put the results one after the other',
  ],
  [
    (text) => isCertificate(decodedBytes(text)),
    'looks like a certificate without its PEM lines: put -----BEGIN CERTIFICATE----- before it and -----END CERTIFICATE----- behind it',
  ],
  [
    (text) => DER_AS_TEXT.test(text),
    'looks like DER: convert it with `openssl x509 -inform der -out ca.pem` (PKCS #12: `openssl pkcs12 -nokeys`)',
  ],
  [(text) => text.slice(0, 200).includes('\0'), 'looks like UTF-16: write it as UTF-8'],
  [
    (text) =>
      /^[ \t]{0,64}(?:apiVersion:|"?certificate-authority|"?clusters"?:|\{\s{0,64}"(?:apiVersion|kind)")/m.test(text),
    'looks like a kubeconfig or another manifest: give the CA alone, which is its certificate-authority-data, decoded (base64 -d)',
  ],
  [
    (text) => /^(?:file:|@|~?\.{0,2}[\\/]|[a-z]:\\)\S{1,1024}$|^\S{1,1024}\.(?:pem|crt|cer|cert|ca|der)$/i.test(text),
    'looks like a path: give the content of the file',
  ],
];

/** What a text that should be PEM looks like instead, with what to do about it; undefined where that is not known. */
export function lookOfNoPem(text: string): string | undefined {
  const trimmed = text.trim();
  return LOOKS.find(([is]) => is(trimmed))?.[1];
}

function isOfPem(text: string | undefined): boolean {
  return text?.includes('-----BEGIN ') ?? false;
}

/** What ends in the padding of base64, where something follows it. */
function firstPadded(text: string): string {
  return /^[^=]+={1,2}/.exec(text)?.[0] ?? '';
}

function decodedBytes(text: string): Buffer | undefined {
  const base64 = text.trim().replace(/^["']|["']$|\s/g, '');
  return base64 !== '' && /^[A-Za-z0-9+/_-]+={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : undefined;
}

function decoded(text: string): string | undefined {
  return decodedBytes(text)?.toString('latin1');
}

function isCertificate(bytes: Buffer | undefined): boolean {
  try {
    return bytes !== undefined && new X509Certificate(bytes).raw.length > 0;
  } catch {
    return false;
  }
}
