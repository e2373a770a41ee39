import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Role } from '../test/support/leasehold-process.ts';

/** The checkout of Leasehold that `LEASEHOLD_BENCH_CHECKOUT` names, installed and generated; undefined where it is unset. */
export const OTHER_CHECKOUT = process.env['LEASEHOLD_BENCH_CHECKOUT'];

/** Where a process of a checkout begins. Default: of this one. */
export function entryOf(role: Role, checkout = '.'): URL {
  return pathToFileURL(resolve(checkout, 'src', role, 'main.ts'));
}
