/** What one cluster may hold of the places that other clusters leave. */
const CLUSTER_SHARE = 1 / 4;

/** In a cluster, a config and a principal hold at most so many times what they leave free there. */
const HELD_TO_FREE = 2;

/** On a config, a principal holds at most so many times what it leaves to others of what the config may hold. */
const HELD_TO_LEFT = 3;

/** Of all places, these are only for a principal and a config that hold none. */
const KEPT_FOR_NEWCOMERS = 1 / 8;

/** Who holds a place: each of these does. As JSON, so that no two holders have one name, whatever they are called. */
export class Claim {
  readonly cluster: string;
  readonly config: string;
  readonly principalInConfig: string;
  readonly principalInCluster: string;
  readonly principal: string;

  /** `cluster`: what answers at one URL, or behind one gateway. `config`: its uid. */
  constructor({ cluster, config, principal }: { cluster: string; config: string; principal: string }) {
    this.cluster = JSON.stringify([cluster]);
    this.config = JSON.stringify([cluster, 'config', config]);
    this.principalInConfig = JSON.stringify([cluster, 'config', config, principal]);
    this.principalInCluster = JSON.stringify([cluster, 'principal', principal]);
    this.principal = JSON.stringify(['principal', principal]);
  }
}

/**
 * Places that are shared so that who holds none finds one, by a bound that shrinks as places fill up ("Dynamic queue
 * length thresholds", Choudhury and Hahne, 1998). A cluster holds at most a quarter of what other clusters leave; in a
 * cluster, a config holds at most twice what it leaves free, and so does a principal; in all clusters together, a
 * principal holds at most as much as it leaves free. So of 128 places a cluster takes 32 at most, of which one config
 * alone takes 19. Since many principals together could still fill all places, the last eighth is for
 * newcomers, whose principal and config hold none, as long as their cluster holds less than a quarter of all.
 */
export class Shares {
  readonly #places: number;
  readonly #keptForNewcomers: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
    this.#keptForNewcomers = Math.floor(places * KEPT_FOR_NEWCOMERS);
  }

  hasRoomFor({ cluster, config, principalInConfig, principalInCluster, principal }: Claim): boolean {
    const heldByCluster = this.#heldBy(cluster);
    const leftByOthers = this.#places - (this.#taken - heldByCluster);
    const freeInCluster = leftByOthers * CLUSTER_SHARE - heldByCluster;
    const free = this.#places - this.#taken;
    if (free <= this.#keptForNewcomers) {
      const isNewcomer = this.#heldBy(principal) === 0 && this.#heldBy(config) === 0;
      return free > 0 && isNewcomer && heldByCluster < this.#places * CLUSTER_SHARE;
    }
    if (freeInCluster <= 0) {
      return false;
    }
    const left = freeInCluster - 1;
    const leftToConfig = left * HELD_TO_FREE - (this.#heldBy(config) + 1);
    return (
      this.#mayHoldMore(config, left * HELD_TO_FREE) &&
      this.#mayHoldMore(principalInConfig, leftToConfig * HELD_TO_LEFT) &&
      this.#mayHoldMore(principalInCluster, left * HELD_TO_FREE) &&
      this.#mayHoldMore(principal, free - 1)
    );
  }

  /** How much its config and its principal hold in the cluster: whoever has less is served first. */
  weight({ config, principalInCluster }: Claim): number {
    return this.#heldBy(config) + this.#heldBy(principalInCluster);
  }

  /** Takes a place. It is for the caller to ask whether there is room. */
  take(claim: Claim): void {
    this.#count(claim, 1);
  }

  release(claim: Claim): void {
    this.#count(claim, -1);
  }

  #count(claim: Claim, change: 1 | -1): void {
    this.#taken += change;
    for (const holder of Object.values(claim)) {
      const held = this.#heldBy(holder) + change;
      if (held > 0) {
        this.#held.set(holder, held);
      } else {
        this.#held.delete(holder);
      }
    }
  }

  /** Who holds none takes what is there. */
  #mayHoldMore(holder: string, most: number): boolean {
    const held = this.#heldBy(holder);
    return held === 0 || held + 1 <= most;
  }

  #heldBy(holder: string): number {
    return this.#held.get(holder) ?? 0;
  }
}
