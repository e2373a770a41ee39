import type { ClusterRefused } from '../domain/cluster-error.ts';

/** An operator who grants the permission sees it used after this at the latest. */
const REMEMBERED_MS = 5 * 60_000;

/** More are forgotten, the oldest first. */
const MAX_REMEMBERED = 256;

/** What one access was not allowed to look at, by name, so that it is not asked for again at once. */
export class Denials {
  readonly #denials = new Map<string, { denial: ClusterRefused; until: number }>();

  /** The denial that was met within the last minutes. */
  recent(name: string): ClusterRefused | undefined {
    const remembered = this.#denials.get(name);
    return remembered && performance.now() < remembered.until ? remembered.denial : undefined;
  }

  keep(name: string, denial: ClusterRefused): void {
    this.#denials.delete(name);
    this.#denials.set(name, { denial, until: performance.now() + REMEMBERED_MS });
    const [oldest] = this.#denials.keys();
    if (this.#denials.size > MAX_REMEMBERED && oldest !== undefined) {
      this.#denials.delete(oldest);
    }
  }
}
