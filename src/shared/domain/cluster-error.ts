import { LeaseholdError } from './errors.ts';
import { REASONS, type Reason } from './reasons.ts';
import { type Refusal, reasonOf } from './refusal.ts';

export type { Refusal } from './refusal.ts';

/** One call to a Kubernetes API server, in the terms of RBAC, so that its error reads like the rule that is missing. */
export interface ClusterCall {
  verb: 'get' | 'list' | 'create' | 'delete';
  /** Empty for the core group. */
  apiGroup: '' | 'rbac.authorization.k8s.io' | 'authorization.k8s.io';
  resource: string;
  subresource?: string;
  /** Left out for objects of the whole cluster. */
  namespace?: string;
  name?: string;
}

/** `serviceaccounts/token`, as RBAC rules write it. */
export function rbacResource(call: Pick<ClusterCall, 'resource' | 'subresource'>): string {
  return call.subresource ? `${call.resource}/${call.subresource}` : call.resource;
}

function describe(call: ClusterCall): string {
  const object = call.name ? ` ${JSON.stringify(call.name)}` : '';
  const place = call.namespace ? ` in namespace ${JSON.stringify(call.namespace)}` : '';
  return `${call.verb} ${rbacResource(call)}${object}${place}`;
}

/** A call to a cluster failed. */
export abstract class ClusterError extends LeaseholdError {
  readonly call: ClusterCall;
  /** What went wrong, without the names of what the call was about. */
  readonly problem: string;

  constructor(call: ClusterCall, problem: string, options?: ErrorOptions) {
    super(`the cluster could not ${describe(call)}: ${problem}`, options);
    this.call = call;
    this.problem = problem;
  }

  /** Whether the call may have had its effect, or still may, though it failed. */
  abstract readonly effectUnknown: boolean;

  /** How long the cluster said to wait before another call; undefined where it said nothing. */
  get retryAfterMs(): number | undefined {
    return undefined;
  }
}

/**
 * The reason in the Status with which a gateway's agent says that it could not connect to its API server, so that the call
 * was not sent. No API server says it.
 */
export const AGENT_NOT_CONNECTED = 'GatewayCannotConnect';

const OF_ADMISSION: ReadonlySet<Reason> = new Set([
  'CLUSTER_WEBHOOK_DENIED',
  'CLUSTER_WEBHOOK_FAILED',
  'CLUSTER_POLICY_DENIED',
  'CLUSTER_ADMISSION_DENIED',
  'CLUSTER_QUOTA_EXCEEDED',
]);

/** What authenticating proxies and busy ones answer instead of passing a call on. */
const SAID_BEFORE_THE_CALL = new Set([401, 403, 404, 429]);

/** The API server answered, and its answer was no. */
export class ClusterRefused extends ClusterError {
  readonly refusal: Refusal;
  readonly reason: Reason;

  constructor(call: ClusterCall, refusal: Refusal) {
    const reason = reasonOf(refusal, call.verb);
    const [, meaning, advice] = REASONS[reason];
    super(call, `${meaning}: ${refusal.status} ${refusal.message}; ${advice}`);
    this.refusal = refusal;
    this.reason = reason;
  }

  /**
   * An API server that gave up on a call (504), or that broke, may have gone through with it, and so may one whose answer
   * was replaced on its way, by a page of a proxy that has no Kubernetes reason. Admission comes before anything is stored.
   */
  override get effectUnknown(): boolean {
    const { status, reason } = this.refusal;
    const isOfSomebodyElse = status >= 400 && reason === '' && !SAID_BEFORE_THE_CALL.has(status);
    return (status >= 500 || isOfSomebodyElse) && !this.isOfAdmission;
  }

  /** Whether a webhook, a policy or a quota refused it: about this one call, whatever HTTP status they chose. */
  get isOfAdmission(): boolean {
    return OF_ADMISSION.has(this.reason);
  }

  override get retryAfterMs(): number | undefined {
    return this.refusal.retryAfterMs;
  }
}

/** No answer came, or none that could be read. */
export class ClusterUnreachable extends ClusterError {
  readonly effectUnknown = true;
}

/** The call was not sent: no connection could be made, or the cluster is given a rest. */
export class ClusterNotCalled extends ClusterError {
  readonly effectUnknown = false;
  /** Others were in the way, or the cluster asked to wait: this says nothing of what it would have answered. */
  readonly isPassing: boolean;
  readonly #retryAfterMs: number | undefined;

  constructor(
    call: ClusterCall,
    problem: string,
    options: ErrorOptions & { retryAfterMs?: number; isPassing?: boolean } = {},
  ) {
    super(call, problem, options);
    this.#retryAfterMs = options.retryAfterMs;
    this.isPassing = options.isPassing ?? false;
  }

  override get retryAfterMs(): number | undefined {
    return this.#retryAfterMs;
  }
}

/** The call was not sent: its gateway has no agent that is connected. */
export class GatewayNotConnected extends ClusterNotCalled {
  readonly gateway: string;

  constructor(call: ClusterCall, gateway: string, options?: ErrorOptions) {
    super(call, `gateway ${JSON.stringify(gateway)} has no agent that is connected`, options);
    this.gateway = gateway;
  }
}

/** The gateway that carried the call was lost before the answer came. Another agent, or the same one again, may be better. */
export class GatewayLost extends ClusterUnreachable {}

/** The call was not sent: its gateway does not dial the cluster's URL, because its settings do not allow it. */
export class GatewayRefused extends ClusterError {
  readonly effectUnknown = false;
  readonly gateway: string;

  constructor(call: ClusterCall, gateway: string, why: string, options?: ErrorOptions) {
    super(call, `gateway ${JSON.stringify(gateway)} refused to connect: ${why}`, options);
    this.gateway = gateway;
  }
}

/** The call was not sent: Leasehold does not call addresses such as that of the cluster's URL. */
export class ClusterAddressNotAllowed extends ClusterError {
  readonly effectUnknown = false;
}

/** The API server took the call, but its effect is still to come: a deleted object waits for its finalizers. */
export class ClusterNotDone extends ClusterError {
  readonly effectUnknown = true;
}

/** The API server's certificate does not verify against the config's CA and server name. */
export class ClusterNotTrusted extends ClusterError {
  readonly effectUnknown = false;
}

/** The API server's clock and ours are too far apart to say when a lease ends. */
export class ClusterClockDiffers extends ClusterError {
  readonly effectUnknown = false;
  readonly cluster: string;
  /** How far the API server's clock is ahead; below zero where it is behind. */
  readonly aheadSeconds: number;

  constructor(call: ClusterCall, cluster: string, aheadSeconds: number) {
    const difference = `${Math.abs(aheadSeconds)} s ${aheadSeconds > 0 ? 'ahead of' : 'behind'}`;
    super(
      call,
      `the clock of the API server of ${cluster} is ${difference} that of Leasehold (the time of its Redis), so it cannot be said when a lease would end; set the clocks right (NTP)`,
    );
    this.cluster = cluster;
    this.aheadSeconds = aheadSeconds;
  }
}
