import type { DataLoss } from '../domain/errors.ts';

/** Tells of each damaged record once, however often it is read, until it is whole again. */
export class DamageReports {
  readonly #tell: (error: DataLoss) => void;
  readonly #told = new Set<string>();

  constructor(tell: (error: DataLoss) => void) {
    this.#tell = tell;
  }

  /** `record` names it. */
  damaged(record: string, error: DataLoss): void {
    if (!this.#told.has(record)) {
      this.#told.add(record);
      this.#tell(error);
    }
  }

  whole(record: string): void {
    this.#told.delete(record);
  }
}
