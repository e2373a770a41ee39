const CUT = '...';

/** `text` in at most `max` characters, of which the last three say that something was cut off. Cuts no character in two. */
export function shorten(text: string, max: number): string {
  const whole = text.toWellFormed();
  if (whole.length <= max) {
    return whole;
  }
  // A surrogate pair that the cut has split leaves its first half behind.
  return `${whole.slice(0, Math.max(0, max - CUT.length)).replace(/[\uD800-\uDBFF]$/, '')}${CUT}`;
}

/**
 * An error in at most `max` characters and one line, since JSON would make six characters of each control character. Of
 * a longer one the middle is left out: it begins with what failed, and ends with what to do.
 */
export function shortLine(error: string, max: number): string {
  const line = error.toWellFormed().replaceAll(/\p{Cc}+/gu, ' ');
  if (line.length <= max) {
    return line;
  }
  const head = shorten(line, Math.ceil(max / 3));
  // The half of a surrogate pair that the cut has split is left out.
  return head + line.slice(head.length - max).replace(/^[\uDC00-\uDFFF]/, '');
}

/** Of a list in an error: it goes into headers, together with much else. */
const MAX_LISTED = 16;
const MAX_LISTED_LENGTH = 800;

/** `a, b and 48 more`: as much of a list as one reads. */
export function listed(items: readonly string[]): string {
  const shown: string[] = [];
  let length = 0;
  for (const item of items.slice(0, MAX_LISTED)) {
    const text = shorten(item, MAX_LISTED_LENGTH / 4);
    length += text.length;
    if (length > MAX_LISTED_LENGTH) {
      break;
    }
    shown.push(text);
  }
  const rest = items.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}
