import type { RenewalNotes } from '../../src/shared/ports/renewal-notes.ts';

/** Notes of failed renewals in memory. They are not forgotten. */
export class MemoryRenewalNotes implements RenewalNotes {
  readonly #errors = new Map<string, string>();

  async errorOf(accessId: string): Promise<string> {
    return this.#errors.get(accessId) ?? '';
  }

  async note(accessId: string, error: string): Promise<boolean> {
    const isAnother = this.#errors.has(accessId);
    this.#errors.set(accessId, error);
    return isAnother;
  }
}
