import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Unauthenticated, Unavailable } from '../../shared/domain/errors.ts';
import type { Secret } from '../../shared/domain/secret.ts';
import { isAddressNotAllowed } from '../../shared/kubernetes/egress/egress-guard.ts';
import { SourceTurns, TooManyWaiting } from '../../shared/kubernetes/egress/source-turns.ts';
import { sourceNetwork } from '../limits/source-network.ts';
import { type HttpsJson, notAllowed } from './https-json.ts';
import { isSameAccount, parseUserName, type ServiceAccount, type TokenCluster } from './service-accounts.ts';

/** How long an answer counts: as long as an API server keeps its own. */
const KEPT_MS = 10_000;

/** Tokens that the cluster has accepted; the one that was accepted longest ago is forgotten first. */
const MAX_KEPT = 10_000;

/** Reviews at a time, and waiting: tokens that nobody has seen before must not flood the API server. */
const TURNS = { atOnce: 16, atOnceEach: 8, waiting: 256 };

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
  account: ServiceAccount;
  askedAt: number;
}

interface Review {
  /** Whose the token is, as far as that is proven before the cluster is asked. */
  expected: Promise<ServiceAccount | undefined>;
  account: Promise<ServiceAccount>;
}

/**
 * The account that a key of the cluster signed the token for; undefined: there are no keys to tell it by. Throws
 * Unauthenticated where the token is forged or cannot be accepted, and then the cluster is not asked.
 */
export type Proof = (token: Secret, now: number) => Promise<ServiceAccount | undefined>;

/**
 * Asks a cluster whose token it is (authentication.k8s.io/v1): it sees at once that a pod or an account is gone.
 *
 * Anyone may send tokens, so what nothing proves has a share of the questions of its own, in turn by source network. A
 * token that is signed, or that the cluster has accepted before, is asked about in another share, in turn by account:
 * neither a forger nor another caller takes its turn.
 */
export class TokenReviews {
  readonly #url: string;
  readonly #audiences: readonly string[];
  readonly #https: Pick<HttpsJson, 'post'>;
  readonly #proof: Proof;
  readonly #proven = new SourceTurns(TURNS);
  readonly #unproven = new SourceTurns(TURNS);
  /** By hash of the token, the oldest first: only what was accepted, so that forged tokens push nothing out. */
  readonly #accepted = new Map<string, Answer>();
  readonly #underWay = new Map<string, Review>();

  /** `url` of the API server, under which its paths are; without a slash at its end. */
  constructor(
    url: string,
    audiences: readonly string[],
    https: Pick<HttpsJson, 'post'>,
    proof: Proof = async () => undefined,
  ) {
    this.#url = `${url}/apis/authentication.k8s.io/v1/tokenreviews`;
    this.#audiences = audiences;
    this.#https = https;
    this.#proof = proof;
  }

  readonly accountOf: TokenCluster['accountOf'] = async (token, now, { sourceIp, onProven } = {}) => {
    const hash = createHash('sha256').update(token.reveal()).digest('base64');
    const before = this.#accepted.get(hash);
    if (before && before.askedAt <= now && now < before.askedAt + KEPT_MS) {
      return before.account;
    }
    const review = this.#underWay.get(hash) ?? this.#begin(hash, token, now, sourceIp);
    const expected = await review.expected;
    if (expected) {
      onProven?.(nameOf(expected));
    }
    return review.account;
  };

  #begin(hash: string, token: Secret, now: number, sourceIp: string | undefined): Review {
    const expected = Promise.resolve(this.#accepted.get(hash)?.account ?? this.#proof(token, now));
    const account = this.#ask(hash, token, expected, now, sourceIp).finally(() => void this.#underWay.delete(hash));
    // It fails as well where the proof does, and that is told first.
    account.catch(() => undefined);
    const review = { expected, account };
    this.#underWay.set(hash, review);
    return review;
  }

  async #ask(
    hash: string,
    token: Secret,
    proof: Review['expected'],
    now: number,
    sourceIp: string | undefined,
  ): Promise<ServiceAccount> {
    const expected = await proof;
    const { status } = await (expected
      ? this.#inTurn(this.#proven, nameOf(expected), token)
      : this.#inTurn(this.#unproven, sourceNetwork(sourceIp), token));
    const account = parseUserName(status.user?.username);
    // An API server that does not know audiences names none: then the token is for itself.
    const isForUs = status.audiences.some((audience) => this.#audiences.includes(audience));
    const isExpected = !expected || (account && isSameAccount(expected, account));
    this.#accepted.delete(hash);
    if (!status.authenticated || status.error !== '' || !account || !isForUs || !isExpected) {
      throw new Unauthenticated(
        'CREDENTIALS_INVALID',
        'the token is not accepted: its cluster says that it is not of a service account, has ended, or is for another audience',
      );
    }
    this.#accept(hash, { account, askedAt: now });
    return account;
  }

  #accept(hash: string, answer: Answer): void {
    this.#accepted.set(hash, answer);
    const [oldest] = this.#accepted.keys();
    if (oldest !== undefined && this.#accepted.size > MAX_KEPT) {
      this.#accepted.delete(oldest);
    }
  }

  async #inTurn(turns: SourceTurns, source: string, token: Secret): Promise<z.infer<typeof TokenReview>> {
    try {
      return TokenReview.parse(
        await turns.take(source, () =>
          this.#https.post(this.#url, {
            apiVersion: 'authentication.k8s.io/v1',
            kind: 'TokenReview',
            spec: { token: token.reveal(), audiences: this.#audiences },
          }),
        ),
      );
    } catch (error) {
      if (error instanceof TooManyWaiting) {
        throw new Unavailable('ISSUER_UNREACHABLE', 'too many tokens wait for their cluster to review them');
      }
      if (isAddressNotAllowed(error)) {
        throw new Unavailable('ISSUER_UNREACHABLE', notAllowed('the cluster of this token'), { cause: error });
      }
      throw new Unavailable('ISSUER_UNREACHABLE', 'the cluster of this token cannot be asked about it at present', {
        cause: error,
      });
    }
  }
}

function nameOf({ namespace, name }: ServiceAccount): string {
  return `${namespace}/${name}`;
}
