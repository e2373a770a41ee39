import { isAbortError } from 'abort-controller-x';
import { Status } from 'nice-grpc-common';
import { ClusterError } from '../shared/domain/cluster-error.ts';
import { LeaseholdError, ReasonedError } from '../shared/domain/errors.ts';
import { type Principal, principalName } from '../shared/domain/principal.ts';
import type { Reason } from '../shared/domain/reasons.ts';
import { redact } from '../shared/domain/redact.ts';
import { shorten } from '../shared/domain/shorten.ts';
import type { Action, Conditions, Origin, Resource } from '../shared/ports/authorizer.ts';
import type { Ports } from '../shared/ports/ports.ts';
import { countRefused } from '../shared/telemetry/metrics.ts';
import { statusOf } from './middleware/status-of.ts';
import { type Refusal, RefusalFloods } from './refusal-floods.ts';

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

/**
 * Of a known caller: refused before anything was done, by Leasehold itself. As cheap to provoke as the refusals above.
 */
const WITHOUT_EFFECT = new Set([...REFUSALS, Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.ALREADY_EXISTS]);

/**
 * A change of a config is tried on its cluster before the store says that its name is taken or there is no room: its
 * refusal may come after objects were made, except for reasons that are found before the trial.
 */
const TRIED_FIRST = new Set<string>(['CreateConfig', 'UpdateConfig'] satisfies Action[]);
const AFTER_A_TRIAL = new Set([Status.ALREADY_EXISTS, Status.RESOURCE_EXHAUSTED]);
const BEFORE_A_TRIAL = new Set<string>([
  'TOO_MANY_CALLS',
  'TRIAL_RATE_EXCEEDED',
  'QUESTION_RATE_EXCEEDED',
  'TOO_MANY_TRIALS_OF_PRINCIPAL',
] satisfies Reason[]);

/** Characters of a name in a summary: those of configs have no more. */
const MAX_RESOURCE = 64;

/** Characters of why a call failed: as much as a caller hears of it. */
const MAX_WHY = 2_048;

export type Audit = (event: AuditEvent) => void;

export interface AuditLog {
  /** Returns whether the event has a line of its own. */
  (event: AuditEvent): boolean;
  /** Writes what is still to be summed up. */
  close(): void;
}

/**
 * Writes audit events as lines of the log, whose message is `audit`. Refusals that flood are summed up; what changed
 * something, or may have, always has a line of its own.
 */
export function auditTo(log: Ports['log']): AuditLog {
  const floods = new RefusalFloods((summary) => log.info({ audit: { summary } }, 'audit'));
  const audit = (event: AuditEvent): boolean => {
    const { principal, action, resource, conditions, origin, error } = event;
    const code = error === undefined ? Status.OK : codeOf(error);
    if (principal && READS.has(action) && !REFUSALS.has(code)) {
      return false;
    }
    const reason = reasonOf(error, code);
    if (!principal || REFUSALS.has(code)) {
      countRefused(reason);
    }
    if (mayBeSummedUp(event, code, reason) && !floods.isWritten(refusalOf(event, code, reason))) {
      return false;
    }
    const told = error instanceof LeaseholdError ? { reason, why: shorten(redact(error.message), MAX_WHY) } : {};
    log.info(
      { audit: { action, ...named(resource), ...conditions, ...origin, code: Status[code], ...told }, principal },
      'audit',
    );
    return true;
  };
  return Object.assign(audit, { close: () => floods.flush() });
}

/** What a cluster refused may have changed something there: each such call has a line of its own. */
function mayBeSummedUp({ principal, action, error }: AuditEvent, code: Status, reason: string): boolean {
  if (principal === undefined) {
    return true;
  }
  const mayHaveTried = TRIED_FIRST.has(action) && AFTER_A_TRIAL.has(code) && !BEFORE_A_TRIAL.has(reason);
  return WITHOUT_EFFECT.has(code) && !mayHaveTried && !(error instanceof ClusterError);
}

function refusalOf({ principal, action, origin, resource }: AuditEvent, code: Status, reason: string): Refusal {
  return {
    principal: principal && principalName(principal),
    sourceIp: origin.sourceIp,
    action,
    resource: shownResource(resource),
    code: Status[code],
    reason,
  };
}

/** The action of an RPC, of whose path that is the end. */
export function actionOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The reason of an error, or the name of its code. */
export function reasonOf(error: unknown, code: Status): string {
  return error instanceof ReasonedError ? error.reason : Status[code];
}

function codeOf(error: unknown): Status {
  if (error instanceof LeaseholdError) {
    return statusOf(error).code;
  }
  return isAbortError(error) ? Status.CANCELLED : Status.INTERNAL;
}

interface NamedResource {
  config?: string;
  lease?: string;
  owner?: string;
  gateway?: string;
}

/** Names only: an audit event is kept for long, and read by many. */
function named(resource: Resource | undefined): NamedResource {
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

/** Undefined where it has no name. */
function shownResource(resource: Resource | undefined): string | undefined {
  const { config, lease, gateway } = named(resource);
  const [kind, name] = Object.entries({ lease, config, gateway }).find(([, name]) => name !== undefined) ?? [];
  return name === undefined ? undefined : `${kind}/${shorten(name, MAX_RESOURCE)}`;
}
