/** A time of the domain, as the proto's Timestamp. */
export function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
