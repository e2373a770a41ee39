import type { Config, DirectAccess } from '../domain/config.ts';
import type { Ports } from '../ports/ports.ts';
import { readClaims } from './token-claims.ts';

const A_DAY_MS = 24 * 60 * 60 * 1000;

/** A token is worth a warning when so little of its life is left, and no more than so much time. */
const LAST_PART = 1 / 5;
const LAST_MS = 7 * A_DAY_MS;

/** Warns in the log of cluster tokens that are about to expire, once a day for each. */
export class ExpiryWarnings {
  readonly #log: Ports['log'];
  /** When it was last said, by the id of the access. */
  #saidAt = new Map<string, number>();

  constructor(log: Ports['log']) {
    this.#log = log;
  }

  /** `now`: by the clock of the API server. */
  look({ name, access }: Config & { access: DirectAccess }, now: number): void {
    const expireTime = readClaims(access.token)?.expireTime;
    if (expireTime !== undefined && isNear(access, expireTime, now) && !this.#wasSaid(access, now)) {
      this.#saidAt.set(access.id, now);
      this.#log.warn(
        { config: name, expireTime: new Date(expireTime).toISOString() },
        `the cluster token of a config ${expireTime <= now ? 'has expired' : 'is about to expire'}: ${adviceFor(access)}`,
      );
    }
  }

  #wasSaid({ id }: DirectAccess, now: number): boolean {
    // Accesses come and go: what was said long ago is forgotten.
    this.#saidAt = new Map([...this.#saidAt].filter(([, saidAt]) => now - saidAt < A_DAY_MS));
    return this.#saidAt.has(id);
  }
}

function isNear({ token }: DirectAccess, expireTime: number, now: number): boolean {
  const { issueTime = Number.NEGATIVE_INFINITY } = readClaims(token) ?? {};
  return expireTime - now <= Math.min((expireTime - issueTime) * LAST_PART, LAST_MS);
}

function adviceFor({ renewToken }: DirectAccess): string {
  return renewToken
    ? 'it could not be renewed (token_renewal_error); give the config another one (UpdateConfig, direct.token)'
    : 'give the config another one (UpdateConfig, direct.token), or have it renewed (direct.renew_token)';
}
