import { z } from 'zod';
import type { LeaseServiceImplementation, ListLeasesRequest } from '../../gen/leasehold/v1/lease_service.ts';
import { NotFound } from '../../shared/domain/errors.ts';
import { LEASE_STATES } from '../../shared/domain/lease.ts';
import { issueLease } from '../../shared/leases/issue.ts';
import { revoke } from '../../shared/leases/revoke.ts';
import type { LeaseQuery } from '../../shared/ports/lease-store.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { credentialMessage, leaseMessage, stateOf } from '../messages/lease-message.ts';
import { dnsLabel, emptyAsUndefined, pageSize } from '../requests/fields.ts';
import { leaseId, leaseRequest } from '../requests/lease-request.ts';
import { readPageToken, writePageToken } from '../requests/page-token.ts';
import { parse } from '../requests/parse.ts';

const listRequest = z.object({
  config: emptyAsUndefined.pipe(dnsLabel.optional()),
  states: z
    .array(
      z
        .number()
        .transform(stateOf)
        .refine((state) => state !== undefined, 'must be a state of a lease'),
    )
    .max(LEASE_STATES.length, `must be at most ${LEASE_STATES.length}`),
  pageSize,
});

/** The RPCs of leasehold.v1.LeaseService; the proto says what each does. */
export function leaseService(ports: Ports): LeaseServiceImplementation {
  return {
    async issueLease(request, { signal }) {
      const issued = await issueLease(ports, parse(leaseRequest, request), signal);
      return { lease: leaseMessage(issued.lease), credential: credentialMessage(issued) };
    },

    async revokeLease(request) {
      return leaseMessage(await revoke(ports, parse(leaseId, request).id, 'REVOKED'));
    },

    async getLease(request) {
      const { id } = parse(leaseId, request);
      const lease = await ports.leases.get(id);
      if (!lease) {
        throw new NotFound('lease', id);
      }
      return leaseMessage(lease);
    },

    async listLeases(request) {
      const query = parseList(request);
      const leases = await ports.leases.list({ ...query, limit: query.limit + 1 });
      const page = leases.slice(0, query.limit);
      return {
        leases: page.map(leaseMessage),
        nextPageToken: leases.length > query.limit ? writePageToken(page.at(-1)?.id ?? '', filterOf(request)) : '',
      };
    },
  };
}

function parseList(request: ListLeasesRequest): LeaseQuery {
  const { config, states, pageSize: limit } = parse(listRequest, request);
  const before = readPageToken(request.pageToken, filterOf(request));
  return { config, states: states.filter((state) => state !== undefined), before, limit };
}

function filterOf({ config, states }: ListLeasesRequest): object {
  return { config, states };
}
