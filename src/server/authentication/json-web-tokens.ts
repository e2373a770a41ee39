import { z } from 'zod';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import type { Principal } from '../../shared/domain/principal.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { claimedIssuer, type TokenRules, verifyToken } from './verify-token.ts';

export interface JwtIssuer extends TokenRules {
  /** The claim with the caller's groups, and what is put before each. Undefined: the token has no say in groups. */
  groups: { claim: string; prefix: string } | undefined;
}

/** OpenID Connect Core 1.0, section 2: at most 255 ASCII characters. */
const Subject = z.string().regex(/^[\x21-\x7e]{1,255}$/);

const Groups = z
  .union([
    z.array(z.string().min(1).max(256)).max(1_000),
    z
      .string()
      .min(1)
      .max(256)
      .transform((group) => [group]),
  ])
  .default([]);

/** Takes callers by the tokens of issuers. */
export class JsonWebTokens implements Authenticator {
  readonly #issuers: readonly JwtIssuer[];

  constructor(issuers: readonly JwtIssuer[]) {
    this.#issuers = issuers;
  }

  async authenticate({ bearer, now }: Credentials): Promise<Principal | undefined> {
    const claimed = claimedIssuer(bearer);
    const rules = this.#issuers.find(({ issuer }) => issuer === claimed);
    if (bearer === undefined || rules === undefined) {
      return undefined;
    }
    const { sub, ...claims } = await verifyToken(bearer, rules, now);
    const id = Subject.safeParse(sub);
    const groups = Groups.safeParse(rules.groups && claims[rules.groups.claim]);
    if (!id.success || !groups.success) {
      const claim = id.success ? rules.groups?.claim : 'sub';
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        `the token does not count: its claim ${claim} is missing or wrong`,
      );
    }
    return {
      kind: 'jwt',
      id: id.data,
      issuer: rules.issuer,
      groups: groups.data.map((group) => `${rules.groups?.prefix}${group}`),
    };
  }
}
