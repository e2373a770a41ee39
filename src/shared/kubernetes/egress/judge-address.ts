import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address, and the bits of it that all addresses of the network share. */
export type Network = [Address, number];

const networks = (...texts: string[]): Network[] => texts.map((text) => ipaddr.parseCIDR(text));

/**
 * Where clouds keep the credentials of the machine, beside link-local addresses: they look public or private. AWS (IMDS, DNS
 * and EKS Pod Identity), Google Cloud, Oracle, Scaleway, Azure's WireServer, Alibaba; of each its own documentation.
 */
const METADATA = networks(
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  'fd00:c1::a9fe:a9fe/128',
  'fd00:42::42/128',
  '168.63.129.16/32',
  '100.100.100.200/32',
);

/** Set apart for tests of networks (RFC 2544): as private as the private ones, and used so. */
const BENCHMARKING = networks('198.18.0.0/15');

/** All that is given out of IPv6 (iana.org/assignments/ipv6-address-space). */
const GLOBAL_UNICAST = networks('2000::/3');

/** Addresses of IPv6 that a translator turns into those of IPv4 in their last four bytes (RFC 6052). */
const TRANSLATED = networks('64:ff9b::/96');

/** What may be called where the settings say so, and how it is called by people. */
const PRIVATE: Record<string, string> = {
  loopback: 'a loopback address',
  private: 'a private address',
  carrierGradeNat: 'a private address (carrier-grade NAT)',
  benchmarking: 'a private address (for tests of networks)',
  uniqueLocal: 'a private address (unique local)',
};

/** What is never called. What is not named here is reserved, or leads into a tunnel. */
const FORBIDDEN: Record<string, string> = {
  metadata: 'an address of a cloud’s metadata service',
  linkLocal: 'a link-local address',
  unspecified: 'the unspecified address',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
};

/** Why an address may not be called and what to do, to follow it in a sentence; undefined where it may be called. `allowed`: of the settings. */
export function refusalOf(text: string, allowed: readonly Network[]): string | undefined {
  const address = parse(text);
  if (!address) {
    return 'no address that can be judged';
  }
  const kind = kindOf(address);
  const name = PRIVATE[kind];
  if (kind === 'unicast' || (name !== undefined && holds(allowed, address))) {
    return undefined;
  }
  return name === undefined
    ? `${FORBIDDEN[kind] ?? 'a reserved address'}, which no setting allows: the URL must lead to another address`
    : `${name}, which LEASEHOLD_ALLOWED_NETWORKS does not hold: add its network there`;
}

/** One of IPv6 that stands for one of IPv4 (::ffff:a.b.c.d) is dialled as that, and returned so. Undefined for one with a zone. */
function parse(text: string): Address | undefined {
  if (isIPv4(text)) {
    return ipaddr.IPv4.parse(text);
  }
  // The library would take ::a.b.c.d for ::ffff:a.b.c.d. In a URL's form there are no dots.
  const { hostname = '' } = URL.parse(`http://[${text}]`) ?? {};
  return hostname === '' ? undefined : ipaddr.process(hostname.slice(1, -1));
}

function kindOf(address: Address): string {
  if (holds(METADATA, address)) {
    return 'metadata';
  }
  if (holds(BENCHMARKING, address)) {
    return 'benchmarking';
  }
  if (holds(TRANSLATED, address)) {
    // A translator must not be given private ones (RFC 6052, 3.1), so none of the settings' networks is meant.
    return kindOf(new ipaddr.IPv4(address.toByteArray().slice(-4))) === 'unicast' ? 'unicast' : 'reserved';
  }
  const range = address.range();
  const mayBeAnything = address.kind() === 'ipv6' && (!holds(GLOBAL_UNICAST, address) || isOfTunnel(address));
  return range === 'unicast' && mayBeAnything ? 'reserved' : range;
}

/** ISATAP hides an address of IPv4 in one of IPv6 under any prefix, behind 0000:5efe or 0200:5efe (RFC 5214, 6.1). */
function isOfTunnel(address: Address): boolean {
  const [first = 0, ...rest] = address.toByteArray().slice(8, 12);
  return (first & ~2) === 0 && Buffer.from(rest).equals(Buffer.of(0, 0x5e, 0xfe));
}

function holds(networks: readonly Network[], address: Address): boolean {
  return networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}
