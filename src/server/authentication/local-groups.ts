import { type Principal, principalName } from '../../shared/domain/principal.ts';

/** Groups that the callers file makes of principals, by their names. */
export class LocalGroups {
  readonly #groups: readonly { name: string; has(principal: string): boolean }[];

  /** Members by group: a principal's name, or the beginning of one and `*`. */
  constructor(groups: Readonly<Record<string, readonly string[]>>) {
    this.#groups = Object.entries(groups).map(([name, members]) => {
      const names = new Set(members.filter((member) => !member.endsWith('*')));
      const beginnings = members.filter((member) => member.endsWith('*')).map((member) => member.slice(0, -1));
      return {
        name,
        has: (principal) => names.has(principal) || beginnings.some((start) => principal.startsWith(start)),
      };
    });
  }

  /** The local ones first: where groups are cut short in the log, these tell most. */
  addTo(principal: Principal): Principal {
    const id = principalName(principal);
    const local = this.#groups.filter((group) => group.has(id)).map(({ name }) => name);
    return { ...principal, groups: [...new Set([...local, ...principal.groups])] };
  }
}
