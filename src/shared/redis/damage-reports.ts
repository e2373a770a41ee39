import type { z } from 'zod';
import { type DataLoss, RecordDamaged } from '../domain/errors.ts';
import { parseJson } from '../domain/parse-json.ts';

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

  /** Parses the record of a thing. Throws RecordDamaged, and tells of it. */
  read<T>(schema: z.ZodType<T>, data: string, type: RecordDamaged['resourceType'], name: string): T {
    const record = `${type} ${JSON.stringify(name)}`;
    const parsed = schema.safeParse(parseJson(data));
    if (!parsed.success) {
      const error = new RecordDamaged(type, name, { cause: parsed.error });
      this.damaged(record, error);
      throw error;
    }
    this.whole(record);
    return parsed.data;
  }
}
