import type { Purpose } from '../ports/cluster.ts';
import { PURPOSES, type TurnClaim, type TurnShares } from './turn-shares.ts';

/** A call that waits for its turn. */
export interface WaitingCall {
  claim: TurnClaim;
  /** When it is too late, by the monotonic clock. */
  until: number;
  begin(): void;
  refuse(why: string): void;
}

/** The calls of one principal for one purpose, by config, those that were served longest ago first. */
interface Line {
  length: number;
  byConfig: Map<string, Set<WaitingCall>>;
}

type Lines = Map<string | undefined, Line>;

/**
 * Calls that wait, in the order in which they get their turns: by purpose, then principals in turn, then their configs.
 */
export class TurnQueue {
  readonly #lines: Readonly<Record<Purpose, Lines>> = {
    'take-down': new Map(),
    issue: new Map(),
    question: new Map(),
    trial: new Map(),
  };
  /** All, in the order in which they came. */
  readonly #calls = new Set<WaitingCall>();

  get size(): number {
    return this.#calls.size;
  }

  /** The one that waits longest. */
  get oldest(): WaitingCall | undefined {
    return first(this.#calls);
  }

  lengthOf({ purpose, principal }: TurnClaim): number {
    return this.#lines[purpose].get(principal)?.length ?? 0;
  }

  add(call: WaitingCall): void {
    const { purpose, principal, configUid } = call.claim;
    const line = this.#lines[purpose].get(principal) ?? { length: 0, byConfig: new Map() };
    const calls = line.byConfig.get(configUid) ?? new Set();
    calls.add(call);
    line.byConfig.set(configUid, calls);
    line.length += 1;
    this.#lines[purpose].set(principal, line);
    this.#calls.add(call);
  }

  remove(call: WaitingCall): void {
    const { purpose, principal, configUid } = call.claim;
    const lines = this.#lines[purpose];
    const line = lines.get(principal);
    const calls = line?.byConfig.get(configUid);
    if (!line || !calls?.delete(call)) {
      return;
    }
    this.#calls.delete(call);
    line.length -= 1;
    if (calls.size === 0) {
      line.byConfig.delete(configUid);
    }
    if (line.length === 0) {
      lines.delete(principal);
    }
  }

  /** Takes out the next call that `shares` has room for. `favored`: the purpose that goes first this time. */
  takeNext(shares: TurnShares, favored: Purpose | undefined): WaitingCall | undefined {
    for (const purpose of favored ? [favored, ...PURPOSES] : PURPOSES) {
      const next = shares.hasRoomForPurpose(purpose) ? this.#nextFor(purpose, shares) : undefined;
      if (next) {
        this.#serve(next);
        return next;
      }
    }
    return undefined;
  }

  /**
   * The last call of the longest line of the least purpose that waits: the one to give way where there are too many.
   */
  get leastEntitled(): WaitingCall | undefined {
    const lines = PURPOSES.map((purpose) => this.#lines[purpose]).findLast(({ size }) => size > 0);
    const longest = [...(lines?.values() ?? [])].reduce((one, other) => (other.length > one.length ? other : one));
    const [last] = [...longest.byConfig.values()].slice(-1);
    return [...(last ?? [])].at(-1);
  }

  #nextFor(purpose: Purpose, shares: TurnShares): WaitingCall | undefined {
    for (const [principal, line] of this.#lines[purpose]) {
      if (!shares.hasRoomForPrincipal(purpose, principal)) {
        continue;
      }
      for (const [configUid, calls] of line.byConfig) {
        if (shares.hasRoomForConfig(purpose, configUid)) {
          return first(calls);
        }
      }
    }
    return undefined;
  }

  /** Its principal, and of that its config, are the last to be served again. */
  #serve(call: WaitingCall): void {
    const { purpose, principal, configUid } = call.claim;
    this.remove(call);
    const line = this.#lines[purpose].get(principal);
    moveToEnd(this.#lines[purpose], principal);
    if (line) {
      moveToEnd(line.byConfig, configUid);
    }
  }
}

function first<T>(items: Iterable<T>): T | undefined {
  const [item] = items;
  return item;
}

function moveToEnd<Key, Value>(map: Map<Key, Value>, key: Key): void {
  const value = map.get(key);
  if (value !== undefined) {
    map.delete(key);
    map.set(key, value);
  }
}
