/** Of a secret, whatever is longer than two of these is found; shorter secrets are not looked for. */
const PIECE = 24;

/** No 24 characters of a key or token have fewer different ones: what has is filling, as tests make it for long texts. */
const FEW_CHARACTERS = 4;

const TABLE_BITS = 22;
const BASE = 0x01000193;

/** What a byte that leaves the window of the rolling hash had added to it: BASE to the power of PIECE. */
const LEAVING = Array.from({ length: PIECE }).reduce<number>((power) => Math.imul(power, BASE), 1);

/** Finds pieces of many secrets in one pass over a text, whatever their number (Rabin and Karp's rolling hash). */
export class Pieces {
  readonly #pieces = new Set<string>();
  readonly #mayBegin = new Uint8Array(1 << TABLE_BITS);

  /** Adds the text, cut into pieces. */
  add(text: string): void {
    for (let start = 0; start + PIECE <= text.length; start += PIECE) {
      const piece = text.slice(start, start + PIECE);
      if (new Set(piece).size > FEW_CHARACTERS) {
        this.#pieces.add(piece);
        this.#mayBegin[slotOf(hashOf(piece))] = 1;
      }
    }
  }

  /** Where runs of pieces begin. */
  *find(text: Buffer): Generator<number> {
    let hash = 0;
    let foundUntil = -1;
    for (let end = 0; end < text.length; end++) {
      const left = end >= PIECE ? Math.imul(text[end - PIECE] ?? 0, LEAVING) : 0;
      hash = (Math.imul(hash, BASE) + (text[end] ?? 0) - left) | 0;
      if (this.#mayBegin[slotOf(hash)] === 1 && this.#has(text, end)) {
        if (end - PIECE + 1 > foundUntil) {
          yield end - PIECE + 1;
        }
        foundUntil = end + 1;
      }
    }
  }

  #has(text: Buffer, end: number): boolean {
    return this.#pieces.has(text.toString('latin1', Math.max(0, end - PIECE + 1), end + 1));
  }
}

function hashOf(piece: string): number {
  return Buffer.from(piece, 'latin1').reduce((hash, byte) => (Math.imul(hash, BASE) + byte) | 0, 0);
}

function slotOf(hash: number): number {
  return hash >>> (32 - TABLE_BITS);
}
