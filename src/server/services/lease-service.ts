import { z } from 'zod';
import { Lease as LeaseMessage } from '../../gen/leasehold/v1/lease.ts';
import type {
  GetLeaseRequest,
  IssueLeaseRequest,
  LeaseServiceImplementation,
  ListLeasesRequest,
  RenewLeaseRequest,
  RevokeLeaseRequest,
} from '../../gen/leasehold/v1/lease_service.ts';
import type { BatchTarget } from '../../shared/domain/batch.ts';
import { namespacesOf } from '../../shared/domain/config.ts';
import type { StoredConfig } from '../../shared/domain/damaged-config.ts';
import { LEASE_STATES, type Lease } from '../../shared/domain/lease.ts';
import { MAX_TOKEN_SECONDS } from '../../shared/domain/ttl.ts';
import { followBatch, startBatch } from '../../shared/leases/batch.ts';
import { issueLease } from '../../shared/leases/issue.ts';
import { renewLease } from '../../shared/leases/renew.ts';
import { revoke } from '../../shared/leases/revoke.ts';
import type { Resource } from '../../shared/ports/authorizer.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import type { CallerContext } from '../caller.ts';
import type { Guard, GuardedService } from '../guard.ts';
import type { Lists } from '../lists.ts';
import { batchMessages } from '../messages/batch-message.ts';
import { credentialMessage, leaseMessage, stateOf } from '../messages/lease-message.ts';
import { parseBatchRequest } from '../requests/batch-request.ts';
import { dnsLabel, emptyAsUndefined, pageSize, principalText } from '../requests/fields.ts';
import { leaseId, leaseRequest, renewRequest } from '../requests/lease-request.ts';
import { parse } from '../requests/parse.ts';
import { configOf, configResource, credentialConditions, INSTALLATION, leaseOf, leaseResource } from '../resources.ts';

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
  principal: emptyAsUndefined.pipe(principalText.optional()),
});

/** The RPCs of leasehold.v1.LeaseService; the proto says what each does. */
export function leaseService(
  ports: Ports,
  guard: Guard,
  lists: Lists,
): GuardedService<LeaseServiceImplementation<CallerContext>> {
  return {
    issueLease: guard.unary('IssueLease', {
      parse: (request: IssueLeaseRequest) => parse(leaseRequest, request),
      on: ({ config }) => configOf(ports, config),
      conditions: ({ ttlSeconds, namespace }, { config }) => ({
        ...credentialConditions(config),
        // One that is damaged may have lost its default; what it would issue then is refused anyway.
        ttlSeconds: ttlSeconds ?? config.defaultTtlSeconds ?? MAX_TOKEN_SECONDS,
        namespace: namespace ?? onlyNamespaceOf(config),
      }),
      async run(wanted, { config }, { name: principal, signal }) {
        const issued = await issueLease(ports, config, { ...wanted, principal }, signal);
        return { lease: leaseMessage(issued.lease), credential: credentialMessage(issued) };
      },
    }),

    renewLease: guard.unary('RenewLease', {
      parse: (request: RenewLeaseRequest) => parse(renewRequest, request),
      on: ({ id }) => leaseOf(ports, id),
      conditions: ({ ttl }, { lease, config }) => ({
        ttlSeconds: ttl ?? config?.defaultTtlSeconds ?? lease.ttlSeconds,
      }),
      async run({ ttl }, { lease }, { name }) {
        await ports.leases.admitRenewal(name);
        const renewed = await renewLease(ports, lease, ttl);
        return { lease: leaseMessage(renewed.lease), credential: credentialMessage(renewed) };
      },
    }),

    revokeLease: guard.unary('RevokeLease', {
      parse: ({ force, ...request }: RevokeLeaseRequest) => ({ ...parse(leaseId, request), force }),
      on: ({ id }) => leaseOf(ports, id),
      conditions: ({ force }) => ({ force }),
      run: async ({ force }, { lease }) => leaseMessage(await revoke(ports, lease, 'REVOKED', { force })),
    }),

    batchRevokeLeases: guard.stream('BatchRevokeLeases', {
      parse: parseBatchRequest,
      on: ({ target }) => batchTargetOf(ports, target),
      conditions: ({ target, force }) => ({
        target: target.kind,
        force,
        ...(target.kind === 'principal' ? { targetPrincipal: target.principal } : {}),
      }),
      async *run(wanted, _found, { name: principal, signal }) {
        const { id } = await startBatch(ports, { ...wanted, principal });
        yield* batchMessages(id, followBatch(ports, id, signal));
      },
    }),

    getLease: guard.unary('GetLease', {
      parse: (request: GetLeaseRequest) => parse(leaseId, request),
      on: ({ id }) => leaseOf(ports, id),
      run: async (_wanted, { lease }) => leaseMessage(lease),
    }),

    listLeases: guard.unary('ListLeases', {
      parse: parseList,
      on: () => INSTALLATION,
      async run({ page, filter }, _found, caller) {
        const resources = leaseResources(ports);
        const { items, nextPageToken } = await lists.page(page, filter, caller, {
          list: 'ListLeases',
          shows: { action: 'GetLease', of: 'lease' },
          read: (after, limit) => ports.leases.list({ ...filter, before: after, limit }),
          nameOf: ({ id }) => id,
          resourceOf: resources,
          messageOf: leaseMessage,
          type: LeaseMessage,
        });
        return { leases: items, nextPageToken };
      },
    }),
  };
}

/** Where leases go that name no namespace; undefined where they must name one. */
function onlyNamespaceOf({ credential }: Pick<StoredConfig, 'credential'>): string | undefined {
  const namespaces = credential ? namespacesOf(credential) : [];
  return namespaces.length === 1 ? namespaces[0] : undefined;
}

/** A repeated call asks for a batch of a config that may be gone by now. */
async function batchTargetOf(ports: Ports, target: BatchTarget): Promise<{ resource: Resource }> {
  if (target.kind !== 'config') {
    return INSTALLATION;
  }
  const config = await ports.configs.get(target.config);
  return { resource: config ? configResource(config) : { kind: 'any', of: 'config', name: target.config } };
}

function parseList({ pageToken, ...request }: ListLeasesRequest) {
  const { config, principal, states, pageSize } = parse(listRequest, request);
  return {
    page: { pageSize, pageToken },
    filter: { config, principal, states: states.filter((state) => state !== undefined) },
  };
}

/** Of leases, many of which are on the same configs. */
function leaseResources(ports: Ports): (lease: Lease) => Promise<Resource> {
  const configs = new Map<string, Promise<StoredConfig | undefined>>();
  return async (lease) => {
    const config = configs.get(lease.config) ?? ports.configs.get(lease.config);
    configs.set(lease.config, config);
    return leaseResource(lease, await config);
  };
}
