import { z } from 'zod';
import type { LeaseServiceImplementation, ListLeasesRequest } from '../../gen/leasehold/v1/lease_service.ts';
import { PermissionDenied } from '../../shared/domain/errors.ts';
import { LEASE_STATES } from '../../shared/domain/lease.ts';
import { followBatch, startBatch } from '../../shared/leases/batch.ts';
import { findLease } from '../../shared/leases/find-lease.ts';
import { issueLease } from '../../shared/leases/issue.ts';
import { renewLease } from '../../shared/leases/renew.ts';
import { revoke } from '../../shared/leases/revoke.ts';
import type { LeaseQuery } from '../../shared/ports/lease-store.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { batchMessages } from '../messages/batch-message.ts';
import { credentialMessage, leaseMessage, stateOf } from '../messages/lease-message.ts';
import { ANYBODY } from '../principal.ts';
import { parseBatchRequest } from '../requests/batch-request.ts';
import { dnsLabel, emptyAsUndefined, pageSize } from '../requests/fields.ts';
import { leaseId, leaseRequest, renewRequest } from '../requests/lease-request.ts';
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

/** What the settings allow. */
export interface LeaseServiceOptions {
  /** Whether a lease may be ended though its objects are not confirmed gone. */
  allowForce: boolean;
}

/** The RPCs of leasehold.v1.LeaseService; the proto says what each does. */
export function leaseService(ports: Ports, { allowForce }: LeaseServiceOptions): LeaseServiceImplementation {
  return {
    async issueLease(request, { signal }) {
      const issued = await issueLease(ports, { ...parse(leaseRequest, request), principal: ANYBODY }, signal);
      return { lease: leaseMessage(issued.lease), credential: credentialMessage(issued) };
    },

    async renewLease(request) {
      const { id, ttl } = parse(renewRequest, request);
      const renewed = await renewLease(ports, id, ttl);
      return { lease: leaseMessage(renewed.lease), credential: credentialMessage(renewed) };
    },

    async revokeLease(request) {
      const { id } = parse(leaseId, request);
      if (request.force && !allowForce) {
        throw new PermissionDenied('FORCE_NOT_ALLOWED', 'force is for operators; LEASEHOLD_ALLOW_FORCE allows it');
      }
      const lease = await findLease(ports, id);
      return leaseMessage(await revoke(ports, lease, 'REVOKED', { force: request.force }));
    },

    async *batchRevokeLeases(request, { signal }) {
      const { id } = await startBatch(ports, { ...parseBatchRequest(request), principal: ANYBODY });
      yield* batchMessages(id, followBatch(ports, id, signal));
    },

    async getLease(request) {
      return leaseMessage(await findLease(ports, parse(leaseId, request).id));
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
