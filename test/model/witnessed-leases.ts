import { hasEnded, type Lease, type LeaseObject, type LeaseState } from '../../src/shared/domain/lease.ts';
import type { Appointment } from '../../src/shared/ports/alarm.ts';
import type { LeaseQuery, LeaseStore, RequestKey } from '../../src/shared/ports/lease-store.ts';
import { RETRY_AFTER_MS } from './faults.ts';
import { versionOf } from './history.ts';
import { MAX_TTL_MS, POLICY, SLACK_MS } from './policy.ts';
import type { Process } from './process.ts';
import { mentionsSecret } from './secrets.ts';
import { activeSpan, type ModelSpan } from './tracing.ts';
import type { World } from './world.ts';

const STORE = { service: 'store' } as const;

/** Which state may follow which. */
const NEXT: Partial<Record<LeaseState, readonly LeaseState[]>> = {
  PENDING: ['ACTIVE', 'REVOKING'],
  ACTIVE: ['ACTIVE', 'REVOKING'],
  REVOKING: ['REVOKING', 'EXPIRED', 'REVOKED', 'FAILED'],
};

/** The longest that a lease may wait for its next try. */
const LONGEST_WAIT_MS =
  Math.max(POLICY.retry.maxMs, RETRY_AFTER_MS, POLICY.takeDownTimeoutMs, POLICY.settleMs + POLICY.issueTimeoutMs) +
  SLACK_MS;

/** The lease store as a process sees it; what comes to be durable is held against the invariants. */
export class WitnessedLeases implements LeaseStore {
  readonly #world: World;
  readonly #process: Process;

  constructor(world: World, process: Process) {
    this.#world = world;
    this.#process = process;
  }

  record(lease: Lease, request?: RequestKey): Promise<Lease | undefined> {
    const { history, leases } = this.#world;
    const span = activeSpan();
    history.require(
      span !== undefined && lease.traceparent !== undefined,
      9,
      () => `lease ${lease.id} was recorded untraced`,
    );
    this.#lookForSecrets(lease);
    return this.#process.call(STORE, async () => {
      const earlier = await leases.record(lease, request);
      if (!earlier) {
        history.recorded.set(lease.id, lease);
      }
      return earlier;
    });
  }

  async save(lease: Lease): Promise<boolean> {
    const { history } = this.#world;
    const span = activeSpan();
    this.#lookForSecrets(lease);
    const isSaved = await this.#process.call(STORE, () => this.#save(lease, span));
    if (isSaved && hasEnded(lease)) {
      history.toBeLogged.add(`ended ${lease.id} ${lease.state} ${lease.principal} ${lease.config}`);
    }
    return isSaved;
  }

  admitRenewal(principal: string): Promise<void> {
    return this.#process.call(STORE, () => this.#world.leases.admitRenewal(principal));
  }

  forgetEnded(now: number): Promise<number> {
    return this.#process.call(STORE, () => this.#world.leases.forgetEnded(now));
  }

  get(id: string): Promise<Lease | undefined> {
    return this.#process.call(STORE, () => this.#world.leases.get(id));
  }

  dueBefore(before: number, page: { offset: number; limit: number }): Promise<Appointment[]> {
    return this.#process.call(STORE, () => this.#world.leases.dueBefore(before, page));
  }

  list(query: LeaseQuery): Promise<Lease[]> {
    return this.#process.call(STORE, () => this.#world.leases.list(query));
  }

  async #save(lease: Lease, span: ModelSpan | undefined): Promise<boolean> {
    const { history, leases } = this.#world;
    const before = await leases.get(lease.id);
    const isSaved = await leases.save(lease);
    if (isSaved && before) {
      this.#checkStep(before, lease);
      if (before.state !== lease.state) {
        const traceId = before.traceparent?.split('-')[1] ?? 'none';
        history.require(span?.leadsTo(traceId) ?? false, 9, () => `${describe(lease)} was reached untraced`);
      }
      if (lease.state === 'ACTIVE') {
        history.active.add(versionOf(lease));
      }
    }
    return isSaved;
  }

  #checkStep(before: Lease, after: Lease): void {
    const { history, clock } = this.#world;
    const now = clock.now();
    const step = () => `${describe(before)} -> ${describe(after)}`;
    const isTainted = history.tainted.has(after.id);
    const latestEnd = after.issueDeadline + MAX_TTL_MS + SLACK_MS;
    history.require(isTainted || (NEXT[before.state]?.includes(after.state) ?? false), 0, step);
    history.require(this.#keepsItsObjects(before, after), 4, () => `${step()}: its objects were changed`);
    history.require(keepsItsAccess(before, after), 4, () => `${step()}: how it is reached was forgotten`);
    switch (after.state) {
      case 'ACTIVE':
        history.require(history.isDisturbed || after.expireTime <= latestEnd, 0, () => `${step()}: past max_ttl`);
        return;
      case 'REVOKING':
        this.#checkRevoking(before, after, now, step);
        return;
      default:
        history.require(after.endAs === after.state, 4, step);
        history.require(this.#mayEnd(after), 4, () => `${step()}: objects are left`);
        history.require(
          after.state !== 'FAILED' || isTainted || !history.acknowledged.has(after.id),
          0,
          () => `${step()}: its token is out`,
        );
    }
  }

  #checkRevoking(before: Lease, after: Lease, now: number, step: () => string): void {
    const { history } = this.#world;
    const wait = (after.nextTryTime ?? Number.NaN) - now;
    history.require(wait <= LONGEST_WAIT_MS + this.#world.clock.setBack, 5, () => `${step()}: next try in ${wait} ms`);
    const isStalled = (after.tries ?? 0) >= POLICY.retry.stalledAfter;
    history.require((after.stalled ?? false) === isStalled, 5, () => `${step()}: not shown as stalled`);
    if (before.state === 'ACTIVE' && after.endAs === 'EXPIRED') {
      history.require(before.expireTime <= now + this.#world.clock.setBack, 0, () => `${step()}: before its end`);
    }
  }

  /**
   * Only who undoes an issue leaves objects out of the record, and only those that were never made. Where they were taken
   * for dead, somebody else may have begun to take the lease down, by a revocation perhaps.
   */
  #keepsItsObjects(before: Lease, after: Lease): boolean {
    const left = new Set(after.objects.map(nameOf));
    const leftOut = before.objects.filter((object) => !left.has(nameOf(object)));
    const isUndone = after.state === 'REVOKING' && (after.endAs === 'FAILED' || before.state === 'REVOKING');
    return (
      before.configUid === after.configUid &&
      after.objects.length + leftOut.length === before.objects.length &&
      (leftOut.length === 0 || isUndone) &&
      leftOut.every((object) => !this.#wasMade(after, object))
    );
  }

  #wasMade({ id }: Lease, { kind }: LeaseObject): boolean {
    return [...this.#world.history.made.values()].some((made) => made.leaseId === id && made.objectKind === kind);
  }

  /** Its objects are gone, or it was forced, or its issuer was taken for dead, has made them anew, and will undo it. */
  #mayEnd({ id, forced }: Lease): boolean {
    const { history } = this.#world;
    const isLeft = this.#world.standing().some(({ leaseId }) => leaseId === id);
    return !isLeft || forced === true || (history.isDisturbed && !history.acknowledged.has(id));
  }

  #lookForSecrets(lease: Lease): void {
    this.#world.history.require(!mentionsSecret(lease), 8, () => `the record of lease ${lease.id} holds a secret`);
  }
}

function describe({ id, state, version }: Lease): string {
  return `${id} ${state} v${version}`;
}

/** A config that goes to another cluster leaves its leases a newer access, beside the one that they had. */
function keepsItsAccess(before: Lease, after: Lease): boolean {
  return after.accessId === before.accessId || after.formerAccessId === before.accessId;
}

function nameOf({ kind, name }: LeaseObject): string {
  return `${kind}/${name}`;
}
