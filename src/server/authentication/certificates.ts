import type { X509Certificate } from 'node:crypto';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { MAX_PRINCIPAL_NAME, type Principal, principalName } from '../../shared/domain/principal.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { severalCredentials } from './several-credentials.ts';

/** Which client certificates are principals. All were issued by a CA of LEASEHOLD_CLIENT_CA. */
export interface CertificateRules {
  /** Trust domains of SPIFFE IDs. */
  trustDomains: readonly string[];
  /** Whether those without a SPIFFE ID count by their subject. */
  subjects: boolean;
}

/**
 * https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md: with a path, as those of workloads have, and of at
 * most 2048 bytes.
 */
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;

/** What says that it is one and is none is refused: it must not count by its subject. Of a quoted name, too. */
const LIKE_A_SPIFFE_ID = /^"?spiffe:/i;

/** Node quotes a name where it holds what could be taken for a separator (CVE-2021-44532). */
const ALTERNATIVE_NAME = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** Takes callers by their client certificates: by SPIFFE ID (X509-SVID) or by subject. */
export class Certificates implements Authenticator {
  readonly #rules: CertificateRules;

  constructor(rules: CertificateRules) {
    this.#rules = rules;
  }

  async authenticate({ certificate, bearer, forwardedCertificate }: Credentials): Promise<Principal | undefined> {
    const principal = certificate && this.#named(certificate);
    // Of a certificate that names no caller, as a mesh gives each of its workloads one, only the bearer token counts.
    if (principal && bearer) {
      throw severalCredentials('a client certificate that names a caller, and a bearer token');
    }
    // The sidecars of a mesh add one to each call, beside their own, which names no caller.
    if (principal && forwardedCertificate !== undefined) {
      throw severalCredentials(
        `a client certificate that names a caller, and another in metadata \`${forwardedCertificate}\``,
      );
    }
    return principal;
  }

  #named(certificate: X509Certificate): Principal | undefined {
    const uris = uriNames(certificate);
    return uris.some((uri) => LIKE_A_SPIFFE_ID.test(uri))
      ? this.#bySpiffeId(certificate, uris)
      : this.#bySubject(certificate);
  }

  #bySpiffeId({ ca: isCa }: X509Certificate, uris: readonly string[]): Principal | undefined {
    const [id = ''] = uris;
    const trustDomain = SPIFFE_ID.exec(id)?.[1];
    if (isCa || uris.length !== 1 || trustDomain === undefined || id.length > MAX_PRINCIPAL_NAME) {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the client certificate is no X509-SVID of a workload: it must hold one URI, a SPIFFE ID with a path, and be no CA',
      );
    }
    return this.#rules.trustDomains.includes(trustDomain)
      ? { kind: 'certificate', id, issuer: trustDomain, groups: [] }
      : undefined;
  }

  #bySubject({ subject, issuer }: X509Certificate): Principal | undefined {
    if (!this.#rules.subjects || !subject) {
      return undefined;
    }
    const names = { id: distinguishedName(subject), issuer: distinguishedName(issuer) };
    const principal: Principal = { kind: 'certificate', ...names, groups: [] };
    if (principalName(principal).length > MAX_PRINCIPAL_NAME) {
      throw new Unauthenticated('CREDENTIALS_INVALID', 'the subject of the client certificate is too long for a name');
    }
    return principal;
  }
}

function uriNames({ subjectAltName = '' }: X509Certificate): string[] {
  const names: { type: string; value: string }[] = [];
  for (let at = 0; at < subjectAltName.length; at = ALTERNATIVE_NAME.lastIndex) {
    ALTERNATIVE_NAME.lastIndex = at;
    const [, type, value] = ALTERNATIVE_NAME.exec(subjectAltName) ?? [];
    if (type === undefined || value === undefined) {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the alternative names of the client certificate cannot be read',
      );
    }
    names.push({ type, value });
  }
  return names.filter(({ type }) => type === 'URI').map(({ value }) => value);
}

/**
 * As RFC 2253 writes it. Node gives a line for each part, in the order of the certificate, its values escaped by that
 * RFC.
 */
function distinguishedName(lines: string): string {
  return lines.split('\n').toReversed().join(',');
}
