import type { Reason, ReasonOf } from './reasons.ts';

/** A field of a request that is wrong: its path in the proto's own names, and what to write instead. */
export interface FieldViolation {
  field: string;
  description: string;
}

/** The errors that a caller is meant to see. Anything else that is thrown is a fault of ours. */
export abstract class LeaseholdError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Violations that are told at once. */
const MAX_VIOLATIONS = 16;

/** The request is wrong, whatever the state of the system. */
export class InvalidArgument extends LeaseholdError {
  /** The first of them. */
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[]) {
    const first = violations.slice(0, MAX_VIOLATIONS);
    const rest = violations.length - first.length;
    const all = first.map(({ field, description }) => `${field}: ${description}`).join('; ');
    super(rest > 0 ? `${all}; and ${rest} more` : all);
    this.violations = first;
  }
}

type ResourceType = 'config' | 'lease' | 'batch' | 'gateway';

const NOT_FOUND = {
  config: 'CONFIG_NOT_FOUND',
  lease: 'LEASE_NOT_FOUND',
  batch: 'BATCH_NOT_FOUND',
  gateway: 'GATEWAY_NOT_FOUND',
} as const satisfies Record<ResourceType, Reason>;

/** There is no such thing. */
export class NotFound extends LeaseholdError {
  readonly reason: ReasonOf<'NOT_FOUND'>;
  readonly resourceType: ResourceType;
  readonly resourceName: string;

  constructor(resourceType: ResourceType, resourceName: string) {
    super(`there is no ${resourceType} ${JSON.stringify(resourceName)}`);
    this.reason = NOT_FOUND[resourceType];
    this.resourceType = resourceType;
    this.resourceName = resourceName;
  }
}

/** Told with a reason that a program may act upon; its class and its reason have the same gRPC code. */
export abstract class ReasonedError<R extends Reason = Reason> extends LeaseholdError {
  readonly reason: R;

  constructor(reason: R, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The name or the request id is in use for something else. */
export class AlreadyExists extends ReasonedError<ReasonOf<'ALREADY_EXISTS'>> {}

/** The system's state forbids it until somebody changes that state. */
export class FailedPrecondition extends ReasonedError<ReasonOf<'FAILED_PRECONDITION'>> {}

/** No lease is issued on a config while a call that deletes it takes its leases down. */
export function configIsBeingDeleted(name: string): FailedPrecondition {
  return new FailedPrecondition(
    'CONFIG_BEING_DELETED',
    `config ${JSON.stringify(name)} is being deleted with its leases: no lease is issued on it unless the deletion fails`,
  );
}

/** The caller is not who it says, or nobody that we know. */
export class Unauthenticated extends ReasonedError<ReasonOf<'UNAUTHENTICATED'>> {}

/** The caller may not. */
export class PermissionDenied extends ReasonedError<ReasonOf<'PERMISSION_DENIED'>> {}

/** Something else happened in between; the caller may read again and retry. */
export class Aborted extends ReasonedError<ReasonOf<'ABORTED'>> {}

/** What is stored was damaged, or is not what it says: nothing is done with it. */
export class DataLoss extends ReasonedError<ReasonOf<'DATA_LOSS'>> {}

/** The record of a thing that there is cannot be read. */
export class RecordDamaged extends DataLoss {
  readonly resourceType: ResourceType;
  readonly resourceName: string;

  constructor(resourceType: ResourceType, resourceName: string, options?: ErrorOptions) {
    super(
      'STORED_RECORD_DAMAGED',
      `the record of ${resourceType} ${JSON.stringify(resourceName)} is cut off or changed`,
      options,
    );
    this.resourceType = resourceType;
    this.resourceName = resourceName;
  }
}

/** A limit is reached; a retry helps once there is room again. */
export class ResourceExhausted extends ReasonedError<ReasonOf<'RESOURCE_EXHAUSTED'>> {
  /** What the limit applies to: `config:` or `principal:` and its name, or `store`. */
  readonly subject: string;
  readonly retryAfterMs: number;

  constructor(
    reason: ReasonOf<'RESOURCE_EXHAUSTED'>,
    message: string,
    { subject, retryAfterMs }: { subject: string; retryAfterMs: number },
  ) {
    super(reason, message);
    this.subject = subject;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A part that we need is away; a retry helps. */
export class Unavailable extends ReasonedError<ReasonOf<'UNAVAILABLE'>> {}
