import type {
  CedarValueJson,
  Context,
  EntityJson,
  StatefulAuthorizationCall,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs';
import { principalName } from '../domain/principal.ts';
import type { Conditions, ConfigView, Origin, Question, Resource } from '../ports/authorizer.ts';

/** What is asked of Cedar, whichever policies answer. */
export type CedarRequest = Pick<
  StatefulAuthorizationCall,
  'principal' | 'action' | 'resource' | 'context' | 'entities'
>;

/** Cedar's types are those of leasehold.cedarschema. Ids are data of the call, and never part of any text. */
const idOf = (type: string, id: string): TypeAndId => ({ type: `Leasehold::${type}`, id });

/** The only entity of its type. */
const INSTALLATION = idOf('Installation', 'leasehold');

/** Stands for whichever it is: only policies that do not look at the resource are asked about it. */
const ANY_ID = '';

/** A question in Cedar's terms. Two strings that Cedar could not tell from each other are refused with a TypeError. */
export function cedarRequest({ principal, action, resource, conditions, origin }: Question): CedarRequest {
  const caller = idOf('Caller', wellFormed(principalName(principal)));
  const { id, entities } = resourceEntities(resource);
  return {
    principal: caller,
    action: idOf('Action', action),
    resource: id,
    context: { ...originContext(origin), ...conditionsContext(conditions) },
    entities: [
      {
        uid: caller,
        attrs: {
          kind: principal.kind,
          id: wellFormed(principal.id),
          issuer: wellFormed(principal.issuer),
          groups: principal.groups.map(wellFormed),
        },
        parents: principal.groups.map((group) => idOf('Group', group)),
      },
      ...entities,
    ],
  };
}

function resourceEntities(resource: Resource): { id: TypeAndId; entities: EntityJson[] } {
  switch (resource.kind) {
    case 'config': {
      const config = configEntity(resource.config);
      return { id: config.uid, entities: [config] };
    }
    case 'lease': {
      const { lease } = resource;
      const config = configEntity(resource.config);
      const attrs = {
        owner: reference(idOf('Caller', wellFormed(lease.principal))),
        config: reference(config.uid),
        namespace: lease.namespace,
      };
      const id = idOf('Lease', lease.id);
      return { id, entities: [{ uid: id, attrs, parents: [] }, config] };
    }
    case 'gateway': {
      const id = idOf('Gateway', resource.name);
      return { id, entities: [{ uid: id, attrs: { name: resource.name }, parents: [] }] };
    }
    case 'installation':
      return { id: INSTALLATION, entities: [] };
    case 'any':
      return { id: idOf({ config: 'Config', lease: 'Lease', gateway: 'Gateway' }[resource.of], ANY_ID), entities: [] };
  }
}

function configEntity({ name, labels }: ConfigView): EntityJson & { uid: TypeAndId } {
  return { uid: idOf('Config', name), attrs: { name }, parents: [], tags: labels };
}

/** ::ffff:10.0.0.1 is how a socket of both families tells of 10.0.0.1, which is how policies write it. */
const IPV4_MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

function originContext({ transport, sourceIp }: Origin): Context {
  const address = sourceIp?.replace(IPV4_MAPPED, '$1');
  return { transport, ...(address === undefined ? {} : { source_ip: { __extn: { fn: 'ip', arg: address } } }) };
}

function conditionsContext(conditions: Conditions): Context {
  const { targetPrincipal } = conditions;
  const values: Record<string, CedarValueJson | undefined> = {
    ttl_seconds: conditions.ttlSeconds,
    namespace: conditions.namespace,
    role_kind: conditions.roleKind,
    cluster_wide: conditions.clusterWide,
    gateway: conditions.gateway,
    revoke_leases: conditions.revokeLeases,
    force: conditions.force,
    revoke_identities: conditions.revokeIdentities,
    target: conditions.target,
    target_owner: targetPrincipal === undefined ? undefined : reference(idOf('Caller', wellFormed(targetPrincipal))),
  };
  const given = Object.entries(values).filter((entry): entry is [string, CedarValueJson] => entry[1] !== undefined);
  return Object.fromEntries(given);
}

function reference(entity: TypeAndId): CedarValueJson {
  return { __entity: entity };
}

/** Every lone surrogate becomes U+FFFD on its way into Cedar, so that two names with such would be one. */
function wellFormed(text: string): string {
  if (!text.isWellFormed()) {
    throw new TypeError('a name that is no Unicode text stands for nobody');
  }
  return text;
}
