import { canonicalHost } from './host.ts';
import { Malformed } from './malformed.ts';

const FORM = /^(?<host>\[[^\]]*\]|[^:]*):(?<port>\d{1,5})$/;
const MAX_PORT = 65_535;

/** `host:port`, somewhere to connect to. Throws Malformed. */
export function parseHostAndPort(text: string): string {
  const { host, port } = split(text);
  const address = host === '' || host === '*' ? undefined : `${canonicalHost(host)}:${port}`;
  if (address === undefined || isEveryAddress(address)) {
    throw new Malformed(`must name the host to connect to: host:${port}`);
  }
  if (port === 0) {
    throw new Malformed('has an invalid port: write 1 to 65535');
  }
  return address;
}

/**
 * `host:port`, where to listen; port 0 is a free one. Without a host, as Go programs write it, or with `*`, it is every
 * address: `[::]`, which takes connections over IPv4, too. Throws Malformed.
 */
export function parseListenAddress(text: string): string {
  const { host, port } = split(text);
  return `${host === '' || host === '*' ? '[::]' : canonicalHost(host)}:${port}`;
}

/** Whether an address to listen at, in canonical form, is each of the machine. `[::ffff:0:0]` is 0.0.0.0 within IPv6. */
export function isEveryAddress(text: string): boolean {
  return /^(?:0\.0\.0\.0|\[::(?:ffff:0:0)?\]):\d+$/.test(text);
}

function split(text: string): { host: string; port: number } {
  const { host, port } = FORM.exec(text)?.groups ?? {};
  if (host === undefined) {
    throw new Malformed(`must be host:port, with an IPv6 address in brackets${hint(text)}`);
  }
  if (Number(port) > MAX_PORT) {
    throw new Malformed(`has an invalid port: write at most ${MAX_PORT}`);
  }
  return { host, port: Number(port) };
}

function hint(text: string): string {
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(text)) {
    return ', and no URL';
  }
  if (/^\d+$/.test(text)) {
    return `; for every address of the machine write :${text}`;
  }
  return '';
}
