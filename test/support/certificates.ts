import { randomUUID } from 'node:crypto';
import { generate } from 'selfsigned';

/** A certificate with its private key, both PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** A CA of a test's own. */
export interface TestCa {
  /** PEM; verifies what `issue` returns. */
  caPem: string;
  /** A server's certificate for localhost, 127.0.0.1 and ::1, or for other DNS names instead of localhost. Valid for a year. */
  issue(names?: readonly string[]): Promise<Certificate>;
}

const EC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** Makes a CA. Nothing else trusts it, and its key stays in this process. */
export async function makeCa(): Promise<TestCa> {
  // Each has a name of its own, as real ones do: a verifier tells them apart by it.
  const ca = await generate([{ name: 'commonName', value: `CA of a test ${randomUUID()}` }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    caPem: ca.cert,
    async issue(names = ['localhost']) {
      const issued = await generate([{ name: 'commonName', value: 'server of a test' }], {
        ...EC,
        ca: { cert: ca.cert, key: ca.private },
        extensions: [
          { name: 'basicConstraints', cA: false, critical: true },
          { name: 'keyUsage', digitalSignature: true, critical: true },
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
      return { cert: issued.cert, key: issued.private };
    },
  };
}
