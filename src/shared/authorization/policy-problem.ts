import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** A file of policies or of their tests. */
export interface PolicyFile {
  /** As an error names it. */
  name: string;
  text: string;
}

/** Policies that cannot be used. A line for each problem, which begins with `file:line:`. */
export class PolicyProblem extends Error {
  override name = 'PolicyProblem';

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** What Cedar found in a file, with the place where it is: one for each place. */
export function problemsIn({ name, text }: PolicyFile, errors: readonly DetailedError[]): string[] {
  const byPlace = new Map<string, string>();
  for (const { message, help, sourceLocations } of errors) {
    const [at] = sourceLocations ?? [];
    const place = at ? `${name}:${lineAt(text, at.start)}` : name;
    // A mistake where any action may be meant is found once for each of them.
    const key = `${place} ${at?.start}`;
    byPlace.set(key, byPlace.get(key) ?? `${place}: ${message}${help ? ` (${help})` : ''}`);
  }
  return [...byPlace.values()];
}

/** Cedar counts in bytes of UTF-8. Lines begin at 1. */
function lineAt(text: string, byte: number): number {
  return Buffer.from(text).subarray(0, byte).toString().split('\n').length;
}
