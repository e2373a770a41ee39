import { canonicalHost } from './host.ts';
import { Malformed } from './malformed.ts';

// The URLs of Leasehold's own settings, configs and callers are read here, once, and from then on there is one text: what
// was checked is what is stored, compared, called and shown. `URL` alone is too kind for that: it drops line breaks, takes
// backslashes and missing slashes for slashes, and resolves dot segments.

const MAX_LENGTH = 2048;

const FORM_WANTED = 'must be an https URL: https://host[:port][/path], with an IPv6 address in brackets';

const FORM = /^https:\/\/(?<authority>[^/?#]+)(?<path>\/[^?#]*)?(?<query>\?[^#]*)?(?<fragment>#.*)?$/i;
const AUTHORITY = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>\d*))?$/;
const HTTPS_PORT = 443;

/** `.` and `..`, also with the parameters that some servers cut off. */
const DOT_SEGMENT = /\/\.{1,2}(?:;[^/]*)?(?:\/|$)/;

/** A slash, a backslash, a control character or a percent sign: what is behind it may be read as another path. */
const HIDDEN_IN_ESCAPE = /%(?:2F|5C|25|[01][\dA-F]|7F)/;

/** Prefix of the paths that are called below it; it ends without a slash. Throws Malformed. */
export function parseBaseUrl(text: string): string {
  const { origin, path, query } = parse(text);
  if (query !== undefined) {
    throw new Malformed('must have no query (?): paths are added behind it');
  }
  return origin + path.replace(/\/$/, '');
}

/** Of a document, as a key set; it may have a query. Throws Malformed. */
export function parseDocumentUrl(text: string): string {
  const { origin, path, query = '' } = parse(text);
  if (query === '?') {
    throw new Malformed('must not end in an empty query (?)');
  }
  return origin + path + query;
}

/** A base URL that was stored before there was one form for it: what has been called by it ever since. */
export function storedBaseUrl(text: string): string {
  const { origin, pathname } = URL.parse(text) ?? {};
  const called = origin === undefined ? text : origin + pathname?.replace(/\/$/, '');
  try {
    return parseBaseUrl(called);
  } catch (error) {
    if (!(error instanceof Malformed)) {
      throw error;
    }
    return called;
  }
}

interface Parts {
  origin: string;
  /** Empty, or with a slash at its beginning. */
  path: string;
  /** With its question mark. */
  query: string | undefined;
}

function parse(text: string): Parts {
  if (text.length > MAX_LENGTH) {
    throw new Malformed(`must have at most ${MAX_LENGTH} characters`);
  }
  if (/[\p{C}\p{Z}]/u.test(text)) {
    throw new Malformed('must not contain blanks, line breaks or invisible characters');
  }
  if (text.includes('\\')) {
    throw new Malformed('must not contain a backslash');
  }
  const { authority, path = '', query, fragment } = FORM.exec(text)?.groups ?? {};
  if (authority === undefined) {
    throw new Malformed(FORM_WANTED);
  }
  if (authority.includes('@')) {
    throw new Malformed('must not contain a user or a password (@ before the path)');
  }
  if (fragment !== undefined) {
    throw new Malformed('must have no fragment (#)');
  }
  return { origin: `https://${parseAuthority(authority)}`, path: parsePath(path), query };
}

function parseAuthority(authority: string): string {
  const { host, port = '' } = AUTHORITY.exec(authority)?.groups ?? {};
  if (!host) {
    throw new Malformed(FORM_WANTED);
  }
  const number = port === '' ? HTTPS_PORT : Number(port);
  if (!(number >= 1 && number <= 65_535)) {
    throw new Malformed('has an invalid port: write 1 to 65535');
  }
  const name = canonicalHost(host);
  return number === HTTPS_PORT ? name : `${name}:${number}`;
}

/** Escapes are in capitals, and only where they must be. */
function parsePath(text: string): string {
  const escaped = text.replace(/%[\da-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : octet.toUpperCase();
  });
  if (escaped.includes('//')) {
    throw new Malformed('must not contain // in its path');
  }
  if (DOT_SEGMENT.test(escaped)) {
    throw new Malformed('must not contain . or .. as a segment of its path');
  }
  if (/%(?![\dA-F]{2})/.test(escaped) || HIDDEN_IN_ESCAPE.test(escaped)) {
    throw new Malformed(
      'must not contain an escaped slash, backslash, % or control character in its path, nor a bare %',
    );
  }
  return escaped === '' ? '' : new URL(`https://host${escaped}`).pathname;
}
