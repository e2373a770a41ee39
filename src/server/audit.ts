import { Status } from 'nice-grpc-common';
import { LeaseholdError } from '../shared/domain/errors.ts';
import type { Principal } from '../shared/domain/principal.ts';
import type { Action, Origin, Resource } from '../shared/ports/authorizer.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { statusOf } from './middleware/status-of.ts';

/** One answer to the question who did what, or tried to. */
export interface AuditEvent {
  principal: Principal;
  action: Action;
  /** undefined: the call was refused before it was known. */
  resource: Resource | undefined;
  origin: Origin;
  /** What became of it: undefined for success. */
  error?: unknown;
}

/** What changes nothing leaves an audit event only where it is refused: its span tells of the rest. */
const READS = new Set<Action>([
  'GetConfig',
  'ListConfigs',
  'CheckConfig',
  'GetLease',
  'ListLeases',
  'GetGateway',
  'ListGateways',
]);

/** Writes audit events as lines of the log, whose message is `audit`. */
export function auditTo(log: Ports['log']): (event: AuditEvent) => void {
  return ({ principal, action, resource, origin, error }) => {
    const code = error === undefined ? Status.OK : codeOf(error);
    if (READS.has(action) && code !== Status.PERMISSION_DENIED) {
      return;
    }
    log.info({ audit: { action, ...named(resource), ...origin, code: Status[code] }, principal }, 'audit');
  };
}

function codeOf(error: unknown): Status {
  return error instanceof LeaseholdError ? statusOf(error).code : Status.INTERNAL;
}

/** Names only: an audit event is kept for long, and read by many. */
function named(resource: Resource | undefined): object {
  switch (resource?.kind) {
    case 'config':
      return { config: resource.config.name };
    case 'lease':
      return { lease: resource.lease.id, owner: resource.lease.principal, config: resource.config.name };
    case 'gateway':
      return { gateway: resource.name };
    case 'any':
      return resource.name === undefined ? {} : { [resource.of]: resource.name };
    default:
      return {};
  }
}
