/** A text that cannot be what it should be. The message says what is wrong and what to write; it holds no secret of the text. */
export class Malformed extends Error {}

/** What `parse` returns; where it throws Malformed, the message begins with where that was. */
export function parsedAt<T>(place: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof Malformed ? new Malformed(`${place}: ${error.message}`) : error;
  }
}
