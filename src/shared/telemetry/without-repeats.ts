const FIRST_SILENCE_MS = 5_000;
const LONGEST_SILENCE_MS = 60_000;

/** Kinds of errors that are told apart. What comes beyond them counts as one. */
const MAX_KINDS = 10;

/** Lines in a minute, whatever the kinds. */
const MAX_A_MINUTE = 10;
const MINUTE_MS = 60_000;

/** Characters that tell a kind of error. */
const MAX_KIND = 60;

interface Told {
  until: number;
  silenceMs: number;
  repeats: number;
}

/**
 * Tells of an error once in a while, however often it comes, and more seldom the longer it goes on: whatever is wrong with
 * Redis, each call fails in the same way. `repeats`: how many like it were not told of since.
 */
export function withoutRepeats(
  tell: (error: Error, repeats: number) => void,
  now = () => performance.now(),
): (error: Error) => void {
  const kinds = new Map<string, Told>();
  let recent: number[] = [];

  /** What was quiet for as long as it was kept silent is news, should it come again. */
  function forget(time: number): void {
    recent = recent.filter((toldAt) => toldAt > time - MINUTE_MS);
    for (const [kind, { until, silenceMs }] of kinds) {
      if (time >= until + silenceMs) {
        kinds.delete(kind);
      }
    }
  }

  return (error) => {
    const time = now();
    forget(time);
    const own = kindOf(error);
    const kind = kinds.has(own) || kinds.size < MAX_KINDS ? own : '';
    const told = kinds.get(kind) ?? { until: 0, silenceMs: FIRST_SILENCE_MS / 2, repeats: 0 };
    if (time < told.until || recent.length >= MAX_A_MINUTE) {
      told.repeats += 1;
      return;
    }
    recent.push(time);
    const silenceMs = Math.min(told.silenceMs * 2, LONGEST_SILENCE_MS);
    kinds.set(kind, { until: time + silenceMs, silenceMs, repeats: 0 });
    tell(error, told.repeats);
  };
}

/** Redis begins its errors with a word for the kind; in others, ids and numbers are left out. */
function kindOf({ message }: Error): string {
  return /^[A-Z]{3,}\b(?<!ERR)/.exec(message)?.[0] ?? message.replace(/[\da-f-]*\d[\da-f-]*/g, '#').slice(0, MAX_KIND);
}
