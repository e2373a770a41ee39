import { z } from 'zod';
import { audiences, dnsLabel, emptyAsUndefined, wholeSeconds } from './fields.ts';

/** IssueLeaseRequest to the domain's LeaseRequest. */
export const leaseRequest = z
  .object({
    config: dnsLabel,
    ttl: wholeSeconds.optional(),
    namespace: emptyAsUndefined.pipe(dnsLabel.optional()),
    audiences,
    requestId: emptyAsUndefined.pipe(z.guid('must be a UUID').toLowerCase().optional()),
  })
  .transform(({ ttl, ...fields }) => ({ ...fields, ttlSeconds: ttl }));

/** A lease's id. */
export const leaseId = z.object({ id: z.guid('must be the id of a lease: a UUID').toLowerCase() });

/** RenewLeaseRequest. */
export const renewRequest = leaseId.extend({ ttl: wholeSeconds.optional() });
