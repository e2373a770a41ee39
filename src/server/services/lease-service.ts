import { z } from 'zod';
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
import { LEASE_STATES } from '../../shared/domain/lease.ts';
import { followBatch, startBatch } from '../../shared/leases/batch.ts';
import { issueLease } from '../../shared/leases/issue.ts';
import { renewLease } from '../../shared/leases/renew.ts';
import { revoke } from '../../shared/leases/revoke.ts';
import type { Resource } from '../../shared/ports/authorizer.ts';
import type { LeaseQuery } from '../../shared/ports/lease-store.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import type { CallerContext } from '../caller.ts';
import type { Guard, GuardedService } from '../guard.ts';
import { batchMessages } from '../messages/batch-message.ts';
import { credentialMessage, leaseMessage, stateOf } from '../messages/lease-message.ts';
import { parseBatchRequest } from '../requests/batch-request.ts';
import { dnsLabel, emptyAsUndefined, pageSize, principalText } from '../requests/fields.ts';
import { leaseId, leaseRequest, renewRequest } from '../requests/lease-request.ts';
import { readPageToken, writePageToken } from '../requests/page-token.ts';
import { parse } from '../requests/parse.ts';
import { configOf, configResource, credentialConditions, INSTALLATION, leaseOf } from '../resources.ts';

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
export function leaseService(ports: Ports, guard: Guard): GuardedService<LeaseServiceImplementation<CallerContext>> {
  return {
    issueLease: guard.unary('IssueLease', {
      parse: (request: IssueLeaseRequest) => parse(leaseRequest, request),
      on: ({ config }) => configOf(ports, config),
      conditions: ({ ttlSeconds, namespace }, { config }) => ({
        ...credentialConditions(config),
        ttlSeconds: ttlSeconds ?? config.defaultTtlSeconds,
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
      conditions: ({ ttl }, { lease }) => ({ ttlSeconds: ttl, namespace: lease.namespace }),
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
      conditions: ({ target }) => ({
        target: target.kind,
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
      parse: (request: ListLeasesRequest) => ({ query: parseList(request), filter: filterOf(request) }),
      on: () => INSTALLATION,
      async run({ query, filter }) {
        const leases = await ports.leases.list({ ...query, limit: query.limit + 1 });
        const page = leases.slice(0, query.limit);
        return {
          leases: page.map(leaseMessage),
          nextPageToken: leases.length > query.limit ? writePageToken(page.at(-1)?.id ?? '', filter) : '',
        };
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
  return target.kind === 'config'
    ? { resource: configResource((await ports.configs.get(target.config)) ?? { name: target.config, labels: {} }) }
    : INSTALLATION;
}

function parseList(request: ListLeasesRequest): LeaseQuery {
  const { config, principal, states, pageSize: limit } = parse(listRequest, request);
  const before = readPageToken(request.pageToken, filterOf(request));
  return { config, principal, states: states.filter((state) => state !== undefined), before, limit };
}

function filterOf({ config, principal, states }: ListLeasesRequest): object {
  return { config, principal, states };
}
