/**
 * What went wrong with the last try to renew the token of an access. A note is of that access only: with another one, which
 * is what a renewal or a change makes, it is of nobody. Fails with Unavailable where the store is away.
 */
export interface RenewalNotes {
  /** Empty where there is none. */
  errorOf(accessId: string): Promise<string>;
  /** Notes an error over the one before; returns whether there was one. It is forgotten in a day. */
  note(accessId: string, error: string): Promise<boolean>;
}
