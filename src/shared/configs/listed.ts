/** More than these are only counted: what is told to people must fit where it is told. */
const MOST = 8;

/** Names in a sentence: `"a", "b" and 3 more`. */
export function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, MOST)
    .map((name) => JSON.stringify(name))
    .join(', ');
  return names.length > MOST ? `${shown} and ${names.length - MOST} more` : shown;
}
