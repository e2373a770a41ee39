import { randomUUID } from 'node:crypto';
import { generate } from 'selfsigned';
import { knownSecret } from '../evidence/known-secret.ts';

/** A certificate with its private key, both PEM. */
export interface Certificate {
  /** Followed by those that lead to the CA, where there are some. */
  cert: string;
  key: string;
}

/** Who a client certificate is of. */
export interface ClientIdentity {
  /** Default: `client of a test`. */
  commonName?: string;
  uris?: readonly string[];
  /** Default: from now on. */
  notBefore?: Date;
  /** Default: for a year. */
  notAfter?: Date;
}

/** A CA of a test's own. */
export interface TestCa {
  /** PEM; verifies what `issue` returns. */
  caPem: string;
  /** A server's certificate for localhost, 127.0.0.1 and ::1, or for other DNS names instead of localhost. Valid for a year. */
  issue(names?: readonly string[]): Promise<Certificate>;
  issueClient(identity?: ClientIdentity): Promise<Certificate>;
  /** A CA below this one. Default: valid for a year. */
  issueCa(notAfter?: Date): Promise<TestCa>;
}

const EC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

const CA_EXTENSIONS = [
  { name: 'basicConstraints', cA: true, critical: true },
  { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
] as const;

const LEAF_EXTENSIONS = [
  { name: 'basicConstraints', cA: false, critical: true },
  { name: 'keyUsage', digitalSignature: true, critical: true },
] as const;

/** Makes a CA. Nothing else trusts it, and its key stays in this process. */
export async function makeCa(): Promise<TestCa> {
  const { cert, private: key } = await generate(nameOfCa(), { ...EC, extensions: [...CA_EXTENSIONS] });
  return testCa({ cert, key: knownSecret(key) }, '');
}

/** A server's certificate for localhost and 127.0.0.1 that is signed by itself. */
export async function makeSelfSigned(isCa: boolean): Promise<Certificate> {
  const { cert, private: key } = await generate(nameOfCa(), {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: isCa, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert, key: knownSecret(key) };
}

/** One that is signed by itself, with a key that is too short, and ciphers with which a server shows it all the same. */
export async function makeWeak(): Promise<Certificate & { ciphers: string }> {
  const { cert, private: key } = await generate(nameOfCa(), {
    keySize: 1024,
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  return { cert, key: knownSecret(key), ciphers: 'DEFAULT@SECLEVEL=0' };
}

/** A CA whose certificate is no CA's: nothing that it issues is to be trusted. */
export function misusedAsCa({ cert, key }: Certificate): TestCa {
  return testCa({ cert: firstOf(cert), key }, firstOf(cert));
}

/** The first of several PEMs. */
export function firstOf(pem: string): string {
  const end = '-----END CERTIFICATE-----';
  return pem.slice(0, pem.indexOf(end) + end.length);
}

/** Each has a name of its own, as real ones do: a verifier tells them apart by it. */
function nameOfCa() {
  return [{ name: 'commonName', value: `CA of a test ${randomUUID()}` }];
}

/** PEMs in one, each on lines of its own. */
export function bundle(...pems: readonly string[]): string {
  return pems.map((pem) => pem.trim()).join('\n');
}

/** `chain`: PEM of what leads from it to a CA that is known. */
function testCa(ca: Certificate, chain: string): TestCa {
  const signer = { cert: ca.cert, key: ca.key };
  return {
    caPem: ca.cert,
    async issue(names = ['localhost']) {
      const issued = await generate([{ name: 'commonName', value: 'server of a test' }], {
        ...EC,
        ca: signer,
        extensions: [
          ...LEAF_EXTENSIONS,
          { name: 'extKeyUsage', serverAuth: true },
          {
            name: 'subjectAltName',
            altNames: [
              ...names.map((value) => ({ type: 2, value }) as const),
              { type: 7, ip: '127.0.0.1' },
              { type: 7, ip: '::1' },
            ],
          },
        ],
      });
      return { cert: bundle(issued.cert, chain), key: knownSecret(issued.private) };
    },
    async issueClient({ commonName = 'client of a test', uris = [], notBefore, notAfter } = {}) {
      const altNames = [
        { type: 2, value: 'client.test' } as const,
        ...uris.map((value) => ({ type: 6, value }) as const),
      ];
      const issued = await generate([{ name: 'commonName', value: commonName }], {
        ...EC,
        ca: signer,
        ...(notBefore && { notBeforeDate: notBefore }),
        ...(notAfter && { notAfterDate: notAfter }),
        extensions: [
          ...LEAF_EXTENSIONS,
          { name: 'extKeyUsage', clientAuth: true },
          { name: 'subjectAltName', altNames },
        ],
      });
      return { cert: bundle(issued.cert, chain), key: knownSecret(issued.private) };
    },
    async issueCa(notAfter) {
      const issued = await generate(nameOfCa(), {
        ...EC,
        ca: signer,
        ...(notAfter && { notAfterDate: notAfter, notBeforeDate: new Date(notAfter.getTime() - 86_400_000) }),
        extensions: [...CA_EXTENSIONS],
      });
      return testCa({ cert: issued.cert, key: knownSecret(issued.private) }, bundle(issued.cert, chain));
    },
  };
}
