/** What looks like a secret, whoever made it. */
const PATTERNS = {
  'a JWT': /eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}/,
  'a JWT in base64': /ZXlKaGJHY2lPa[\w+/]{40,}/,
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'a private key in base64': /LS0tLS1CRUdJTi(?:BQUklWQVRF|BFQyBQUklWQVRF|BSU0EgUFJJVkFUR)[\w+/]*/,
  'an API key': /leasehold_[\w.-]+_[\w-]{43}/,
  'an enrolment token': /leasehold-enrol-[\w-]{20,}/,
  'a bearer token': /[Bb]earer [\w.~+/-]{20,}/,
};

const ANY = new RegExp(
  Object.values(PATTERNS)
    .map(({ source }) => `(${source})`)
    .join('|'),
  'g',
);

const NAMES = Object.keys(PATTERNS);

/** What stands there, where, by the name of its pattern. */
export function* findPatterns(text: string): Generator<{ what: string; start: number }> {
  for (const match of text.matchAll(ANY)) {
    const [, ...groups] = match;
    const name = NAMES[groups.findIndex((group) => group !== undefined)];
    yield { what: name ?? 'a secret', start: match.index };
  }
}
