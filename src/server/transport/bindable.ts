import { networkInterfaces } from 'node:os';
import { isEveryAddress } from '../../shared/domain/host-and-port.ts';

/** Where to bind for an address to listen at. Every address is 0.0.0.0 on a machine that has no IPv6. */
export function bindable(listen: string, hasIpv6 = hasIpv6Address()): string {
  return isEveryAddress(listen) && !hasIpv6 ? listen.replace(/^\[.*\]/, '0.0.0.0') : listen;
}

function hasIpv6Address(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'));
}
