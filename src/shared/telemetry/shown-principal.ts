import type { Principal } from '../domain/principal.ts';

const MAX_GROUPS = 16;
const MAX_LENGTH = 1_024;

/** A principal as log lines, audit events and spans show it. */
export interface ShownPrincipal extends Principal {
  /** How many groups it has. */
  groupCount: number;
}

/**
 * All that says who it is, and the first of its groups: a caller chooses how many lines it causes, and its issuer, how
 * many groups it has.
 */
export function shownPrincipal({ kind, id, issuer, groups }: Principal): ShownPrincipal {
  return { kind, id, issuer, groups: firstOf(groups), groupCount: groups.length };
}

function firstOf(groups: readonly string[]): string[] {
  const first: string[] = [];
  let length = 0;
  for (const group of groups.slice(0, MAX_GROUPS)) {
    length += group.length;
    if (length > MAX_LENGTH) {
      break;
    }
    first.push(group);
  }
  return first;
}
