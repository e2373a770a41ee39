import { z } from 'zod';
import { Unauthenticated } from '../../shared/domain/errors.ts';
import { MAX_GROUPS, MAX_GROUPS_LENGTH, type Principal } from '../../shared/domain/principal.ts';
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
    z.array(z.string().min(1).max(256)),
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
        `the token is not accepted: its claim ${claim} is missing or wrong`,
      );
    }
    requireFew(groups.data, rules.groups?.claim);
    return {
      kind: 'jwt',
      id: id.data,
      issuer: rules.issuer,
      groups: groups.data.map((group) => `${rules.groups?.prefix}${group}`),
    };
  }
}

/** Leaving some out could lose the one for which a policy forbids a call. */
function requireFew(groups: readonly string[], claim: string | undefined): void {
  const length = groups.reduce((sum, group) => sum + group.length, 0);
  if (groups.length > MAX_GROUPS || length > MAX_GROUPS_LENGTH) {
    throw new Unauthenticated(
      'CREDENTIALS_INVALID',
      `the claim ${claim} of the token has ${groups.length} groups of ${length} characters, and may have ${MAX_GROUPS} of ` +
        `${MAX_GROUPS_LENGTH}: let the issuer send only the groups that the policies need`,
    );
  }
}
