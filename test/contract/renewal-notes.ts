import { beforeEach, expect, test } from 'vitest';
import type { RenewalNotes } from '../../src/shared/ports/renewal-notes.ts';

/** What every RenewalNotes does. */
export function describeRenewalNotes(open: () => RenewalNotes): void {
  let notes: RenewalNotes;
  beforeEach(() => {
    notes = open();
  });

  test('an error is noted over the one before, and says whether there was one', async () => {
    expect(await notes.note('one', 'away')).toBe(false);
    expect(await notes.note('one', 'forbidden')).toBe(true);
    expect(await notes.errorOf('one')).toBe('forbidden');
  });

  test('an access has its own note only', async () => {
    await notes.note('one', 'away');
    expect(await notes.errorOf('other')).toBe('');
    expect(await notes.note('other', 'away')).toBe(false);
  });
}
