import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { Network } from './judge-address.ts';

const network = z
  .union([z.cidrv4(), z.cidrv6()], 'must be networks in CIDR notation with commas between, for instance 10.0.0.0/8')
  .transform((text): Network => ipaddr.parseCIDR(text));

/** Networks in CIDR notation, with commas between. */
export const AllowedNetworks = z
  .string()
  .optional()
  .transform((text = '') => (text.trim() === '' ? [] : text.split(',').map((part) => part.trim())))
  .pipe(z.array(network));
