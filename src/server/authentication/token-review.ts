import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { z } from 'zod';
import { Unauthenticated, Unavailable } from '../../shared/domain/errors.ts';
import type { Secret } from '../../shared/domain/secret.ts';
import type { HttpsJson } from './https-json.ts';
import { parseUserName, type ServiceAccount, type TokenCluster } from './service-accounts.ts';

/** How long an answer counts: as long as an API server keeps its own. */
const KEPT_MS = 10_000;

const MAX_KEPT = 10_000;

/** Reviews at a time, and waiting: tokens that nobody has seen before must not flood the API server. */
const AT_ONCE = 16;
const MAX_WAITING = 256;

const TokenReview = z.object({
  /** A Status instead says that something went wrong. */
  kind: z.literal('TokenReview').optional(),
  status: z.object({
    /** Why the token could not be checked (k8s.io/api/authentication/v1, TokenReviewStatus). */
    error: z.string().default(''),
    authenticated: z.boolean().default(false),
    user: z.object({ username: z.string().optional() }).optional(),
    audiences: z.array(z.string()).default([]),
  }),
});

interface Answer {
  account: Promise<ServiceAccount>;
  askedAt: number;
}

/** Asks a cluster whose token it is (authentication.k8s.io/v1): it sees at once that a pod or an account is gone. */
export class TokenReviews {
  readonly #url: string;
  readonly #audiences: readonly string[];
  readonly #https: Pick<HttpsJson, 'post'>;
  readonly #limit = pLimit(AT_ONCE);
  /** By hash of the token, the oldest first. */
  readonly #answers = new Map<string, Answer>();

  /** `url` of the API server, under which its paths are; without a slash at its end. */
  constructor(url: string, audiences: readonly string[], https: Pick<HttpsJson, 'post'>) {
    this.#url = `${url}/apis/authentication.k8s.io/v1/tokenreviews`;
    this.#audiences = audiences;
    this.#https = https;
  }

  readonly accountOf: TokenCluster['accountOf'] = (token, now) => {
    const hash = createHash('sha256').update(token.reveal()).digest('base64');
    const kept = this.#answers.get(hash);
    if (kept && kept.askedAt <= now && now < kept.askedAt + KEPT_MS) {
      return kept.account;
    }
    const account = this.#ask(token);
    this.#keep(hash, { account, askedAt: now });
    return account;
  };

  #keep(hash: string, answer: Answer): void {
    this.#answers.delete(hash);
    this.#answers.set(hash, answer);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size > MAX_KEPT) {
      this.#answers.delete(oldest);
    }
    // Only good answers are kept: what was refused may be good a moment later.
    answer.account.catch(() => {
      if (this.#answers.get(hash) === answer) {
        this.#answers.delete(hash);
      }
    });
  }

  async #ask(token: Secret): Promise<ServiceAccount> {
    if (this.#limit.pendingCount >= MAX_WAITING) {
      throw new Unavailable('ISSUER_UNREACHABLE', 'too many tokens wait for their cluster to review them');
    }
    const { status } = await this.#limit(() => this.#review(token));
    const account = parseUserName(status.user?.username);
    // An API server that does not know audiences names none: then the token is for itself.
    const isForUs = status.audiences.some((audience) => this.#audiences.includes(audience));
    if (!status.authenticated || status.error !== '' || !account || !isForUs) {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the token does not count: its cluster says that it is of no service account, has ended, or is for another audience',
      );
    }
    return account;
  }

  async #review(token: Secret): Promise<z.infer<typeof TokenReview>> {
    try {
      return TokenReview.parse(
        await this.#https.post(this.#url, {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token: token.reveal(), audiences: this.#audiences },
        }),
      );
    } catch (error) {
      throw new Unavailable('ISSUER_UNREACHABLE', 'the cluster of this token cannot be asked about it at present', {
        cause: error,
      });
    }
  }
}
