const SECONDS = 1000;

/** Tells a person what happens; machines read the last line only. */
export class Narrator {
  readonly #startedAt = Date.now();
  #checks = 0;

  /** How many things were seen to be as they should. */
  get checks(): number {
    return this.#checks;
  }

  chapter(title: string): void {
    console.log(`\n── ${title}`);
  }

  say(line: string): void {
    console.log(`   ${line}`);
  }

  /** Progress of the set-up, which may take minutes. */
  progress = (line: string): void => {
    const elapsed = Math.round((Date.now() - this.#startedAt) / SECONDS);
    console.log(`   [${String(elapsed).padStart(3)} s] ${line}`);
  };

  /** Shows what was seen. Throws where it is not what should be: the demo has failed then. */
  check<T>(what: string, seen: T, expected: readonly T[]): void {
    if (!expected.includes(seen)) {
      throw new Error(`${what}: expected ${expected.join(' or ')}, saw ${String(seen)}`);
    }
    this.#checks += 1;
    console.log(`   ✓ ${what}: ${String(seen)}`);
  }
}
