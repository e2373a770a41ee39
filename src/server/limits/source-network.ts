import ipaddr from 'ipaddr.js';

/** Of an IPv6 address: what one site has at least (RFC 6177). */
const PARTS_OF_A_SITE = 4;

/** The address in `address:port`, as grpc-js tells of the other side of a call; its IPv6 addresses have no brackets. */
export function addressOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}

/**
 * Whom an address is counted for: an IPv4 address for itself, an IPv6 address for its /64, of which one host may use
 * any address. `address`: as Node tells of a socket; undefined where it is gone.
 */
export function sourceNetwork(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) {
    return 'unknown';
  }
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6
    ? `${new ipaddr.IPv6([...parsed.parts.slice(0, PARTS_OF_A_SITE), 0, 0, 0, 0]).toString()}/64`
    : parsed.toString();
}
