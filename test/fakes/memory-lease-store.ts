import { Aborted, AlreadyExists, configIsBeingDeleted } from '../../src/shared/domain/errors.ts';
import { attentionTime, hasEnded, type Lease } from '../../src/shared/domain/lease.ts';
import {
  configIsFull,
  hasTooManyTrials,
  isTooEarly,
  KEPT_WHEN_FULL,
  type LeaseLimits,
  MAX_TRIALS_OF_PRINCIPAL,
  principalIsFull,
} from '../../src/shared/domain/lease-limits.ts';
import type { Appointment } from '../../src/shared/ports/alarm.ts';
import type { LeaseQuery, LeaseStore, RequestKey } from '../../src/shared/ports/lease-store.ts';
import type { KeptLease, MemoryRecords } from './memory-records.ts';

const UNLIMITED: LeaseLimits = {
  perConfig: Infinity,
  perPrincipal: Infinity,
  issueRate: Infinity,
  endedPerPrincipal: Infinity,
  ended: Infinity,
};

const REQUEST_MEMORY_MS = 24 * 60 * 60 * 1000;

/** Records of leases in memory. */
export class MemoryLeaseStore implements LeaseStore {
  readonly #records: MemoryRecords;
  readonly #retentionMs: number;
  readonly #limits: LeaseLimits;

  constructor(records: MemoryRecords, retentionMs: number, limits: LeaseLimits = UNLIMITED) {
    this.#records = records;
    this.#retentionMs = retentionMs;
    this.#limits = limits;
  }

  async record(lease: Lease, request?: RequestKey): Promise<Lease | undefined> {
    const { journal, leases, requests } = this.#records;
    const key = request && JSON.stringify([request.principal, request.requestId]);
    const earlier = key === undefined ? undefined : requests.get(key);
    if (request && earlier && earlier.goneAt > this.#records.now()) {
      return this.#earlier(earlier, request);
    }
    this.#requireConfig(lease);
    if (lease.purpose === 'trial') {
      this.#requireRoomForTrial(lease);
    } else {
      this.#requireRoom(lease);
      this.#admit(lease.principal);
    }
    journal.inOneScript(() => {
      journal.set(leases, lease.id, keep(lease, key));
      this.#records.use(lease.accessId, 1);
      if (request && key !== undefined) {
        journal.set(requests, key, { fingerprint: request.fingerprint, leaseId: lease.id, goneAt: Infinity });
      }
    });
    return undefined;
  }

  async admitRenewal(principal: string): Promise<void> {
    this.#admit(principal);
  }

  async save(lease: Lease): Promise<boolean> {
    return this.#records.journal.inOneScript(() => this.#save(lease));
  }

  #save(lease: Lease): boolean {
    const { journal, leases } = this.#records;
    const kept = leases.get(lease.id);
    if (kept?.version !== lease.version - 1) {
      return false;
    }
    if (lease.accessId !== kept.accessId && !this.#records.access(lease.accessId)) {
      throw new Aborted('CONFIG_CHANGED', `config ${lease.config} was changed meanwhile`);
    }
    if (lease.endAs === 'FAILED') {
      this.#freeRequest(lease.id, kept);
    }
    if (hasEnded(lease)) {
      this.#makeRoom(lease);
    }
    journal.set(leases, lease.id, keep(lease, kept.request));
    if (lease.accessId !== kept.accessId) {
      this.#records.use(lease.accessId, 1);
      if (kept.formerAccessId !== undefined) {
        this.#records.use(kept.formerAccessId, -1);
      }
    }
    if (hasEnded(lease)) {
      this.#end(lease, kept);
    }
    return true;
  }

  async forgetEnded(now: number): Promise<number> {
    return this.#forgetBefore(now);
  }

  #forgetBefore(now: number): number {
    const old = this.#ended().filter(([, { endTime }]) => (endTime ?? Infinity) <= now - this.#retentionMs);
    for (const [id] of old) {
      this.#forget(id);
    }
    return old.length;
  }

  async get(id: string): Promise<Lease | undefined> {
    const kept = this.#records.leases.get(id);
    return kept && parse(kept);
  }

  async dueBefore(before: number, { offset, limit }: { offset: number; limit: number }): Promise<Appointment[]> {
    return this.#live()
      .filter((lease) => attentionTime(lease) < before)
      .sort((one, other) => attentionTime(one) - attentionTime(other) || (one.id < other.id ? -1 : 1))
      .slice(offset, offset + limit)
      .map((lease) => ({ leaseId: lease.id, at: attentionTime(lease) }));
  }

  async list({ config, principal, states, before, limit }: LeaseQuery): Promise<Lease[]> {
    return [...this.#records.leases.keys()]
      .filter((id) => before === undefined || id < before)
      .sort()
      .reverse()
      .map((id) => parse(this.#records.leases.get(id) as KeptLease))
      .filter((lease) => lease.purpose !== 'trial')
      .filter((lease) => config === undefined || lease.config === config)
      .filter((lease) => principal === undefined || lease.principal === principal)
      .filter((lease) => states.length === 0 || states.includes(lease.state))
      .slice(0, limit);
  }

  #earlier({ fingerprint, leaseId }: { fingerprint: string; leaseId: string }, request: RequestKey): Lease {
    const kept = this.#records.leases.get(leaseId);
    if (!kept || fingerprint !== request.fingerprint) {
      throw new AlreadyExists('REQUEST_ID_REUSED', `this request_id was used for lease ${leaseId}`);
    }
    return parse(kept);
  }

  #requireConfig(lease: Lease): void {
    const isTrial = lease.purpose === 'trial';
    const config = this.#records.configs.get(lease.config);
    if (!(isTrial || config?.uid === lease.configUid) || !this.#records.access(lease.accessId)) {
      throw new Aborted('CONFIG_CHANGED', `config ${lease.config} was deleted or changed meanwhile`);
    }
    if (!isTrial && config?.deletions.some(({ until }) => until > this.#records.now())) {
      throw configIsBeingDeleted(lease.config);
    }
  }

  #requireRoom({ config, principal }: Lease): void {
    const listed = this.#live().filter(({ purpose }) => purpose === 'lease');
    if (listed.filter((lease) => lease.config === config).length >= this.#limits.perConfig) {
      throw configIsFull(config, this.#limits);
    }
    if (listed.filter((lease) => lease.principal === principal).length >= this.#limits.perPrincipal) {
      throw principalIsFull(principal, this.#limits);
    }
  }

  #requireRoomForTrial({ principal }: Lease): void {
    const trials = this.#live().filter((lease) => lease.purpose === 'trial' && lease.principal === principal);
    if (trials.length >= MAX_TRIALS_OF_PRINCIPAL) {
      throw hasTooManyTrials(principal);
    }
  }

  /** GCRA, as in the script. */
  #admit(principal: string): void {
    const { journal, filledUntil } = this.#records;
    const now = this.#records.now();
    const next = Math.max(filledUntil.get(principal) ?? 0, now) + 1000 / this.#limits.issueRate;
    if (next - 1000 > now) {
      throw isTooEarly(principal, this.#limits, Math.ceil(next - 1000 - now));
    }
    journal.set(filledUntil, principal, next);
  }

  #freeRequest(id: string, { request }: KeptLease): void {
    const { journal, requests } = this.#records;
    if (request !== undefined && requests.get(request)?.leaseId === id) {
      journal.delete(requests, request);
    }
  }

  /** Where the principal has as many ended leases as it may, those that ended first are forgotten. */
  #makeRoom({ principal, purpose, endTime = 0 }: Lease): void {
    this.#forgetBefore(endTime);
    if (purpose === 'trial') {
      return;
    }
    const ended = this.#ended();
    const isFull = ended.length >= this.#limits.ended;
    const most = Math.min(this.#limits.endedPerPrincipal, isFull ? KEPT_WHEN_FULL : Infinity);
    const own = ended.filter(([, kept]) => kept.principal === principal);
    const byEnd = own.sort(([one, a], [other, b]) => (a.endTime ?? 0) - (b.endTime ?? 0) || (one < other ? -1 : 1));
    for (const [id] of byEnd.slice(0, Math.max(0, own.length + 1 - most))) {
      this.#forget(id);
    }
  }

  #end(lease: Lease, { request, formerAccessId }: KeptLease): void {
    const { journal, leases, requests, now } = this.#records;
    this.#records.use(lease.accessId, -1);
    if (formerAccessId !== undefined) {
      this.#records.use(formerAccessId, -1);
    }
    const remembered = request === undefined ? undefined : requests.get(request);
    if (request !== undefined && remembered?.leaseId === lease.id) {
      journal.set(requests, request, { ...remembered, goneAt: now() + REQUEST_MEMORY_MS });
    }
    if (lease.purpose === 'trial') {
      journal.delete(leases, lease.id);
    }
  }

  #forget(id: string): void {
    const { journal, leases } = this.#records;
    const kept = leases.get(id);
    if (kept) {
      this.#freeRequest(id, kept);
      journal.delete(leases, id);
    }
  }

  #ended(): [string, KeptLease][] {
    return [...this.#records.leases].filter(([, { live }]) => !live);
  }

  #live(): Lease[] {
    return [...this.#records.leases.values()].filter(({ live }) => live).map(parse);
  }
}

function keep(lease: Lease, request: string | undefined): KeptLease {
  const { version, principal, config, accessId, formerAccessId, endTime } = lease;
  const listed = lease.purpose !== 'trial';
  return {
    json: JSON.stringify(lease),
    version,
    live: !hasEnded(lease),
    listed,
    endTime,
    principal,
    config,
    accessId,
    formerAccessId,
    request,
  };
}

function parse({ json }: KeptLease): Lease {
  return JSON.parse(json) as Lease;
}
