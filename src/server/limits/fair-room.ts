interface Member {
  group: string;
  since: number;
  evict: () => void;
}

interface RoomSize {
  max: number;
  maxPerGroup: number;
  /**
   * Members that came so recently are not evicted, so that a burst of quick ones passes: up to `BURST` times the size.
   * Default: 0.
   */
  graceMs?: number;
}

/** How many times its size a room, or a group of it, may hold while its members are within their time of grace. */
const BURST = 4;

/**
 * Bounds how many may be in it, in total and of one group, without ever refusing a newcomer: the oldest member of the
 * largest group is evicted instead. Whoever floods a room evicts itself, and whoever needs little time there gets
 * through it, also where it shares a group with the flood.
 */
export class FairRoom {
  readonly #size: Required<RoomSize>;
  readonly #groups = new Map<string, Set<Member>>();
  #count = 0;

  constructor(size: RoomSize) {
    this.#size = { graceMs: 0, ...size };
  }

  /** Returns what leaves the room; it may be called more than once. `evict` is called after it has left for another. */
  enter(group: string, evict: () => void): () => void {
    const member = { group, since: performance.now(), evict };
    const members = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, members.add(member));
    this.#count += 1;
    this.#shrink(() => (members.size > this.#size.maxPerGroup ? members : undefined));
    this.#shrink(() => (this.#count > this.#size.max ? this.#largest() : undefined));
    return () => void this.#remove(member);
  }

  /** Evicts from the group that is too large, until there is none or all of it is too new. */
  #shrink(tooLarge: () => Set<Member> | undefined): void {
    let group = tooLarge();
    while (group && this.#evictOldest(group)) {
      group = tooLarge();
    }
  }

  #largest(): Set<Member> {
    let largest = new Set<Member>();
    for (const members of this.#groups.values()) {
      largest = members.size > largest.size ? members : largest;
    }
    return largest;
  }

  /** Whether there was one to evict. */
  #evictOldest(members: Set<Member>): boolean {
    const [oldest] = members;
    const isNew = oldest && performance.now() - oldest.since < this.#size.graceMs;
    if (!oldest || (isNew && !this.#isBeyondBurst(members))) {
      return false;
    }
    this.#remove(oldest);
    oldest.evict();
    return true;
  }

  #isBeyondBurst(members: Set<Member>): boolean {
    return this.#count > BURST * this.#size.max || members.size > BURST * this.#size.maxPerGroup;
  }

  #remove(member: Member): void {
    const members = this.#groups.get(member.group);
    if (!members?.delete(member)) {
      return;
    }
    this.#count -= 1;
    if (members.size === 0) {
      this.#groups.delete(member.group);
    }
  }
}
