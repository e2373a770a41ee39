import { Malformed } from './malformed.ts';

/** What stands between a BEGIN line and its END line (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, for instance. */
  label: string;
  /** The lines in between, as they are. */
  body: string;
  /** Why it cannot be read, as what follows its name in a sentence; undefined: it has a beginning and an end. */
  problem: string | undefined;
}

/** A system's own bundle of CAs has a quarter of it. */
const MAX_CHARACTERS = 1024 * 1024;

const BOUNDARY = /^-----(?<side>BEGIN|END) (?<label>[A-Z0-9 ]{1,64})-----$/;

/** A line that ends one block and begins the next. */
const JOINED = /^-----END [A-Z0-9 ]{1,64}-----\s{0,64}-----BEGIN (?<label>[A-Z0-9 ]{1,64})-----$/;

/** A line that is to be a boundary, and is none. */
const LIKE_A_BOUNDARY = /^-{2,}\s?(?:BEGIN|END)\b.*(?:CERT|KEY|CRL|PKCS)/i;

/** The blocks of a PEM text, also those that are cut off. What stands around them is text. Throws Malformed where it is too long. */
export function pemBlocks(text: string): PemBlock[] {
  if (text.length > MAX_CHARACTERS) {
    throw new Malformed(`must have at most ${MAX_CHARACTERS} characters`);
  }
  const blocks: PemBlock[] = [];
  let open: PemBlock | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    open = take(line.trim(), open, blocks);
  }
  cutOff(open);
  return blocks;
}

/** Takes a line to the block that is open. Returns the one that is open behind it. */
function take(line: string, open: PemBlock | undefined, blocks: PemBlock[]): PemBlock | undefined {
  const begin = (label: string, problem?: string): PemBlock => {
    const block = { label, body: '', problem };
    blocks.push(block);
    return block;
  };
  const { side, label = '' } = BOUNDARY.exec(line)?.groups ?? {};
  if (side === 'BEGIN') {
    cutOff(open);
    return begin(label);
  }
  if (side === 'END') {
    const ended = open ?? begin(label, `has no -----BEGIN ${label}----- line before its end`);
    cutOff(ended.label === label ? undefined : ended);
    return undefined;
  }
  const joined = JOINED.exec(line)?.groups?.['label'];
  if (joined !== undefined) {
    return begin(joined, `begins on the line that ends the one before it: put a line break before its -----BEGIN`);
  }
  if (LIKE_A_BOUNDARY.test(line)) {
    const spoilt = open ?? begin('CERTIFICATE');
    spoilt.problem ??= 'has a BEGIN or END line that is not alone on its line, or not between five dashes on each side';
    return spoilt;
  }
  if (open) {
    open.body += `${line}\n`;
  }
  return open;
}

function cutOff(block: PemBlock | undefined): void {
  if (block) {
    block.problem ??= `is cut off: its -----END ${block.label}----- line is missing`;
  }
}
