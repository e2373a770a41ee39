import ipaddr from 'ipaddr.js';

/** Who gets an IPv6 address gets a /64 of them (RFC 6177), so all of it counts as one source. */
const IPV6_BITS = 64;

/** What stands for a source address where sources are counted: an IPv4 address, or the /64 network of an IPv6 address. */
export function sourceNetwork(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) {
    return 'unknown';
  }
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6
    ? `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString()}/${IPV6_BITS}`)}/${IPV6_BITS}`
    : parsed.toString();
}
