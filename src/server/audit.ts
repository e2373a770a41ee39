import { isAbortError } from 'abort-controller-x';
import { Status } from 'nice-grpc-common';
import { LeaseholdError } from '../shared/domain/errors.ts';
import type { Principal } from '../shared/domain/principal.ts';
import { redact } from '../shared/domain/redact.ts';
import type { Action, Conditions, Origin, Resource } from '../shared/ports/authorizer.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { statusOf } from './middleware/status-of.ts';

/** One answer to the question who did what, or tried to. */
export interface AuditEvent {
  /** undefined: nobody that we know. */
  principal: Principal | undefined;
  /** Name of the RPC. */
  action: string;
  /** undefined: the call was refused before it was known. */
  resource?: Resource | undefined;
  /** How it was asked for, as the policies were told; undefined: the same. */
  conditions?: Conditions | undefined;
  origin: Origin;
  /** What became of it: undefined for success. */
  error?: unknown;
}

/** What changes nothing leaves an audit event only where it is refused: its span tells of the rest. */
const READS = new Set<string>([
  'GetConfig',
  'ListConfigs',
  'CheckConfig',
  'GetLease',
  'ListLeases',
  'GetGateway',
  'ListGateways',
  'ServerReflectionInfo',
] satisfies (Action | 'ServerReflectionInfo')[]);

const REFUSALS = new Set([Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.RESOURCE_EXHAUSTED]);

export type Audit = (event: AuditEvent) => void;

/** Writes audit events as lines of the log, whose message is `audit`. */
export function auditTo(log: Ports['log']): Audit {
  return ({ principal, action, resource, conditions, origin, error }) => {
    const code = error === undefined ? Status.OK : codeOf(error);
    if (READS.has(action) && !REFUSALS.has(code)) {
      return;
    }
    const why = error instanceof LeaseholdError ? redact(error.message) : undefined;
    log.info(
      { audit: { action, ...named(resource), ...conditions, ...origin, code: Status[code], why }, principal },
      'audit',
    );
  };
}

/** The action of an RPC, of whose path that is the end. */
export function actionOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function codeOf(error: unknown): Status {
  if (error instanceof LeaseholdError) {
    return statusOf(error).code;
  }
  return isAbortError(error) ? Status.CANCELLED : Status.INTERNAL;
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
