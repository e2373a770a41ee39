import { Malformed } from './malformed.ts';

/** Of a host in a message. */
const MAX_SHOWN = 100;

const MAX_NAME = 253;

/** As in DNS, with the underscores that people use in spite of it. Names of other scripts are in their xn-- form by then. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/** What would end a host in a URL, or hide in one. */
const NOT_OF_A_NAME = /[\p{C}\p{Z}%@/\\?#:[\]]/u;

const IPV6 = /^\[[\da-f:.]+\]$/i;

/**
 * A host in the one form in which hosts are compared, called and shown: in lower case, without a dot at its end, an IPv6
 * address in brackets and shortened. Another spelling of an IPv4 address (`0x7f.1`, `010.0.0.1`) is refused: what it is
 * dialled as is not what a reader takes it for. Throws Malformed.
 */
export function canonicalHost(text: string): string {
  const { hostname = '' } =
    (IPV6.test(text) || !NOT_OF_A_NAME.test(text)) && text ? (URL.parse(`https://${text}`) ?? {}) : {};
  if (IPV4.test(hostname) && hostname !== text) {
    throw new Malformed(`has the host ${shown(text)}, which is read as ${hostname}: write the address in that form`);
  }
  const name = hostname.replace(/\.$/, '');
  if (!IPV6.test(name) && !(name.length <= MAX_NAME && name.split('.').every((label) => LABEL.test(label)))) {
    throw new Malformed(
      `has the invalid host ${shown(text)}: write a DNS name, an IPv4 address or an IPv6 address in brackets, without a zone`,
    );
  }
  return name;
}

/** A name, or an IPv4 address, that a certificate must be for. Throws Malformed. */
export function canonicalServerName(text: string): string {
  const name = canonicalHost(text);
  if (IPV6.test(name)) {
    throw new Malformed('must be a DNS name');
  }
  return name;
}

function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}
