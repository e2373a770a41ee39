import type { ClusterUse, Purpose } from '../ports/cluster.ts';

/** For what a call wants its turn: its use, and the config of its access. */
export interface TurnClaim extends ClusterUse {
  configUid: string;
}

/** In the order of precedence. */
export const PURPOSES: readonly Purpose[] = ['take-down', 'issue', 'question', 'trial'];

/**
 * The part of a cluster's turns that calls of a purpose may hold together with those of lesser purposes: the rest is a
 * reserve that only calls of higher precedence can take, however slow the others are.
 */
const PART_OF_PURPOSE: Readonly<Record<Purpose, number>> = {
  'take-down': 1,
  issue: 7 / 8,
  question: 1 / 2,
  trial: 1 / 4,
};

/**
 * Of what its purpose may hold. A principal, or a config, whose calls all hang leaves turns to others. The more it
 * leaves, the less it gets done while it is alone.
 */
const PART_OF_ONE_CONFIG = 7 / 8;
const PART_OF_ONE_PRINCIPAL = 3 / 4;

interface Limits {
  together: number;
  ofOneConfig: number;
  ofOnePrincipal: number;
}

/** Who holds how many of a cluster's turns, and who may have another. Its memory is bounded by the turns. */
export class TurnShares {
  readonly #turns: number;
  readonly #limits: Readonly<Record<Purpose, Limits>>;
  readonly #byPurpose = new Tally<Purpose>();
  readonly #byPrincipal = new Tally<string | undefined>();
  readonly #byConfig = new Tally<string>();

  constructor(turns: number) {
    this.#turns = turns;
    this.#limits = {
      'take-down': limitsOf('take-down', turns),
      issue: limitsOf('issue', turns),
      question: limitsOf('question', turns),
      trial: limitsOf('trial', turns),
    };
  }

  hasRoom({ purpose, principal, configUid }: TurnClaim): boolean {
    return (
      this.hasRoomForPurpose(purpose) &&
      this.hasRoomForPrincipal(purpose, principal) &&
      this.hasRoomForConfig(purpose, configUid)
    );
  }

  hasRoomForPurpose(purpose: Purpose): boolean {
    const lesser = PURPOSES.slice(PURPOSES.indexOf(purpose));
    return this.#heldFor(PURPOSES) < this.#turns && this.#heldFor(lesser) < this.#limits[purpose].together;
  }

  /** What is held for whatever purpose counts: who has their share of issues asks no questions meanwhile. */
  hasRoomForPrincipal(purpose: Purpose, principal: string | undefined): boolean {
    return this.#byPrincipal.of(principal) < this.#limits[purpose].ofOnePrincipal;
  }

  hasRoomForConfig(purpose: Purpose, configUid: string): boolean {
    return this.#byConfig.of(configUid) < this.#limits[purpose].ofOneConfig;
  }

  take(claim: TurnClaim): void {
    this.#add(claim, 1);
  }

  giveBack(claim: TurnClaim): void {
    this.#add(claim, -1);
  }

  #heldFor(purposes: readonly Purpose[]): number {
    return purposes.reduce((sum, purpose) => sum + this.#byPurpose.of(purpose), 0);
  }

  #add({ purpose, principal, configUid }: TurnClaim, count: 1 | -1): void {
    this.#byPurpose.add(purpose, count);
    this.#byPrincipal.add(principal, count);
    this.#byConfig.add(configUid, count);
  }
}

function limitsOf(purpose: Purpose, turns: number): Limits {
  const together = turns * PART_OF_PURPOSE[purpose];
  return {
    together: atLeastOne(together),
    ofOneConfig: atLeastOne(together * PART_OF_ONE_CONFIG),
    ofOnePrincipal: atLeastOne(together * PART_OF_ONE_PRINCIPAL),
  };
}

function atLeastOne(count: number): number {
  return Math.max(1, Math.floor(count));
}

/** Counts that are forgotten at 0. */
class Tally<Key> {
  readonly #counts = new Map<Key, number>();

  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: Key, count: number): void {
    const sum = this.of(key) + count;
    if (sum === 0) {
      this.#counts.delete(key);
    } else {
      this.#counts.set(key, sum);
    }
  }
}
