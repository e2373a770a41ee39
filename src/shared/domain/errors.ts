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

/** The request is wrong, whatever the state of the system. */
export class InvalidArgument extends LeaseholdError {
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[]) {
    super(violations.map(({ field, description }) => `${field}: ${description}`).join('; '));
    this.violations = violations;
  }
}

type ResourceType = 'config' | 'lease' | 'batch' | 'gateway';

/** There is no such thing. */
export class NotFound extends LeaseholdError {
  readonly resourceType: ResourceType;
  readonly resourceName: string;

  constructor(resourceType: ResourceType, resourceName: string) {
    super(`there is no ${resourceType} ${JSON.stringify(resourceName)}`);
    this.resourceType = resourceType;
    this.resourceName = resourceName;
  }
}

/** Reasons that a program may act upon; they are part of the interface (google.rpc.ErrorInfo.reason). */
type Reason =
  | 'CONFIG_NAME_TAKEN'
  | 'CONFIG_HAS_LIVE_LEASES'
  | 'CONFIG_CHANGED'
  | 'REQUEST_ID_REUSED'
  | 'REQUEST_IN_PROGRESS'
  | 'LEASE_BEING_ISSUED'
  | 'LEASE_ENDED_MEANWHILE'
  | 'LEASE_CHANGED'
  | 'LEASE_NOT_ACTIVE'
  | 'LEASE_AT_MAX_TTL'
  | 'LEASE_NOT_GRANTED_ANY_MORE'
  | 'PERMISSION_DENIED'
  | 'CREDENTIALS_MISSING'
  | 'CREDENTIALS_INVALID'
  | 'CREDENTIALS_EXPIRED'
  | 'ISSUER_UNREACHABLE'
  | 'LEASES_NOT_REVOKED'
  | 'GATEWAY_NAME_TAKEN'
  | 'GATEWAY_IN_USE'
  | 'GATEWAY_STILL_ATTACHED'
  | 'GATEWAY_CHANGED'
  | 'RELAY_NOT_ENABLED'
  | 'TOO_MANY_LEASES_ON_CONFIG'
  | 'TOO_MANY_LEASES_OF_PRINCIPAL'
  | 'ISSUE_RATE_EXCEEDED'
  | 'TOO_MANY_CALLS'
  | 'ENROLMENT_REFUSED'
  | 'IDENTITY_REFUSED'
  | 'STORED_SECRET_DAMAGED'
  | 'STORED_RECORD_DAMAGED'
  | 'STORE_UNAVAILABLE';

abstract class ReasonedError extends LeaseholdError {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The name or the request id is in use for something else. */
export class AlreadyExists extends ReasonedError {}

/** The system's state forbids it until somebody changes that state. */
export class FailedPrecondition extends ReasonedError {}

/** The caller is not who it says, or nobody that we know. */
export class Unauthenticated extends ReasonedError {}

/** The caller may not. */
export class PermissionDenied extends ReasonedError {}

/** Something else happened in between; the caller may read again and retry. */
export class Aborted extends ReasonedError {}

/** What is stored was damaged, or is not what it says: nothing is done with it. */
export class DataLoss extends ReasonedError {}

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
export class ResourceExhausted extends ReasonedError {
  /** What the limit is of: `config:` or `principal:` and its name. */
  readonly subject: string;
  readonly retryAfterMs: number;

  constructor(reason: Reason, message: string, { subject, retryAfterMs }: { subject: string; retryAfterMs: number }) {
    super(reason, message);
    this.subject = subject;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A part that we need is away; a retry helps. */
export class Unavailable extends ReasonedError {}
