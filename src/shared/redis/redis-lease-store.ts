import { z } from 'zod';
import { Aborted, AlreadyExists, configIsBeingDeleted, type ResourceExhausted } from '../domain/errors.ts';
import {
  attentionTime,
  ENDED_STATES,
  hasEnded,
  LEASE_STATES,
  type Lease,
  type LeaseState,
  LIVE_STATES,
} from '../domain/lease.ts';
import {
  configIsFull,
  hasTooManyTrials,
  isTooEarly,
  KEPT_WHEN_FULL,
  type LeaseLimits,
  MAX_TRIALS_OF_PRINCIPAL,
  principalIsFull,
} from '../domain/lease-limits.ts';
import type { Appointment } from '../ports/alarm.ts';
import type { LeaseQuery, LeaseStore, RequestKey } from '../ports/lease-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { DamageReports } from './damage-reports.ts';
import type { Keys } from './keys.ts';
import { readPage } from './read-page.ts';
import { LeaseRecord } from './records.ts';
import { UNUSED_ACCESS_MS } from './redis-accesses.ts';
import { loadScript } from './script.ts';
import { PlainScripts, type ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const recordScript = loadScript('record-lease', 'issue-rate');
const saveScript = loadScript('save-lease');
const endScript = loadScript('end-lease', 'forget-lease');
const forgetScript = loadScript('forget-ended', 'forget-lease');
const admitScript = loadScript('admit-renewal', 'issue-rate');

/** What may have no room for one more live lease. */
const RoomName = z.enum(['config', 'principal', 'trials']);
type RoomName = z.infer<typeof RoomName>;

const RecordAnswer = z.tuple([z.enum(['ok', 'seen', 'reused', 'gone', 'deleting', 'full', 'early'])]).rest(z.string());

/** How long a request_id leads to a lease that has ended, where the lease is kept so long. */
const REQUEST_MEMORY_MS = 24 * 60 * 60 * 1000;

/** Leases that one script forgets: about 2 ms in which Redis does nothing else. */
const FORGOTTEN_AT_ONCE = 100;

/** Records of leases in Redis. Each is in the indexes of its state; ended ones are forgotten after a time. */
export class RedisLeaseStore implements LeaseStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #retentionMs: number;
  readonly #limits: LeaseLimits;
  readonly #damage: DamageReports;
  /** For what may be lost. */
  readonly #unacknowledged: ScriptRunner;

  /** `retentionMs`: how long ended leases are kept. */
  constructor(
    redis: RedisClient,
    scripts: ScriptRunner,
    keys: Keys,
    { retentionMs, limits }: { retentionMs: number; limits: LeaseLimits },
    damage: DamageReports,
  ) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#retentionMs = retentionMs;
    this.#limits = limits;
    this.#damage = damage;
    this.#unacknowledged = new PlainScripts(redis);
  }

  async record(lease: Lease, request?: RequestKey): Promise<Lease | undefined> {
    const answer = await recordScript(
      this.#scripts,
      [
        this.#keys.lease(lease.id),
        this.#keys.access(lease.accessId),
        this.#keys.config(lease.config),
        this.#keys.due,
        ...(request ? [this.#keys.request(request.principal, request.requestId)] : []),
      ],
      [
        lease.id,
        JSON.stringify(lease),
        attentionTime(lease),
        JSON.stringify(this.#indexesOf(lease)),
        // A trial runs before its config is stored.
        lease.purpose === 'trial' ? '' : lease.configUid,
        request?.fingerprint ?? '',
        JSON.stringify(this.#roomsOf(lease)),
        lease.purpose === 'trial' ? '' : this.#keys.issueRate(lease.principal),
        this.#limits.issueRate,
      ],
    );
    const [outcome, detail = ''] = RecordAnswer.parse(answer);
    if (outcome === 'gone') {
      throw new Aborted('CONFIG_CHANGED', `config ${JSON.stringify(lease.config)} was deleted or changed meanwhile`);
    }
    if (outcome === 'deleting') {
      throw configIsBeingDeleted(lease.config);
    }
    if (outcome === 'reused') {
      throw new AlreadyExists('REQUEST_ID_REUSED', `this request_id was used for another request (lease ${detail})`);
    }
    if (outcome === 'full') {
      throw this.#fullError(lease, RoomName.parse(detail));
    }
    if (outcome === 'early') {
      throw isTooEarly(lease.principal, this.#limits, Number(detail));
    }
    return outcome === 'seen' ? this.#earlier(detail) : undefined;
  }

  async admitRenewal(principal: string): Promise<void> {
    const waitMs = await admitScript(this.#unacknowledged, [this.#keys.issueRate(principal)], [this.#limits.issueRate]);
    if (waitMs !== 0) {
      throw isTooEarly(principal, this.#limits, Number(waitMs));
    }
  }

  async save(lease: Lease): Promise<boolean> {
    const answer = await (lease.endTime === undefined ? this.#saveLive(lease) : this.#saveEnded(lease, lease.endTime));
    if (answer === 'gone') {
      throw accessIsGone(lease);
    }
    return answer === 1;
  }

  async forgetEnded(now: number): Promise<number> {
    const forgotten = await forgetScript(
      this.#unacknowledged,
      [this.#keys.ended],
      [now - this.#retentionMs, FORGOTTEN_AT_ONCE],
    );
    return Number(forgotten);
  }

  async get(id: string): Promise<Lease | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.lease(id), 'data'));
    return data === null ? undefined : this.#damage.read(LeaseRecord, data, 'lease', id);
  }

  async dueBefore(before: number, { offset, limit }: { offset: number; limit: number }): Promise<Appointment[]> {
    const range = await storeCall(() =>
      this.#redis.zrangebyscore(this.#keys.due, '-inf', `(${before}`, 'WITHSCORES', 'LIMIT', offset, limit),
    );
    return pairs(range).map(([leaseId, at]) => ({ leaseId, at: Number(at) }));
  }

  list({ before, limit, ...query }: LeaseQuery): Promise<Lease[]> {
    return readPage(
      { after: before, limit },
      { idsAfter: (last, most) => this.#idsBefore(last, most, query), read: (id) => this.get(id) },
    );
  }

  async #idsBefore(
    before: string | undefined,
    limit: number,
    { config, principal, states }: Omit<LeaseQuery, 'before' | 'limit'>,
  ): Promise<string[]> {
    const end = before === undefined ? '+' : `(${before}`;
    const pages = await Promise.all(
      (states.length > 0 ? states : LEASE_STATES).map((state) => {
        const index = this.#indexOf({ config, principal }, state);
        return storeCall(() => this.#redis.zrange(index, end, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit));
      }),
    );
    // A lease that changes its state while we read may stand in two pages.
    return [...new Set(pages.flat())].sort().reverse().slice(0, limit);
  }

  #saveLive(lease: Lease): Promise<unknown> {
    return saveScript(
      this.#scripts,
      [this.#keys.lease(lease.id), this.#keys.due, this.#keys.access(lease.accessId)],
      [
        lease.id,
        lease.version - 1,
        lease.version,
        JSON.stringify(lease),
        JSON.stringify(this.#indexesOf(lease)),
        attentionTime(lease),
        lease.endAs === 'FAILED' ? '1' : '0',
        UNUSED_ACCESS_MS,
      ],
    );
  }

  #saveEnded(lease: Lease, endTime: number): Promise<unknown> {
    return endScript(
      this.#scripts,
      [
        this.#keys.lease(lease.id),
        this.#keys.due,
        this.#keys.ended,
        this.#keys.endedBy(lease.principal),
        ...ENDED_STATES.map((state) => this.#keys.leasesBy(lease.principal, state)),
      ],
      [
        lease.id,
        lease.version - 1,
        JSON.stringify(lease),
        JSON.stringify(this.#indexesOf(lease)),
        endTime,
        endTime - this.#retentionMs,
        UNUSED_ACCESS_MS,
        lease.endAs === 'FAILED' ? 0 : REQUEST_MEMORY_MS,
        this.#limits.endedPerPrincipal,
        this.#limits.ended,
        KEPT_WHEN_FULL,
      ],
    );
  }

  async #earlier(id: string): Promise<Lease> {
    const lease = await this.get(id);
    if (!lease) {
      throw new AlreadyExists(
        'REQUEST_ID_REUSED',
        `this request_id was used for lease ${id}, which is forgotten by now`,
      );
    }
    return lease;
  }

  #indexOf({ config, principal }: Pick<LeaseQuery, 'config' | 'principal'>, state: LeaseState): string {
    if (principal === undefined) {
      return config === undefined ? this.#keys.leasesIn(state) : this.#keys.leasesOf(config, state);
    }
    return config === undefined
      ? this.#keys.leasesBy(principal, state)
      : this.#keys.leasesOfBy(config, principal, state);
  }

  /** A trial is not listed: it is only counted while it lives, and forgotten when it ends. */
  #indexesOf(lease: Lease): string[] {
    const { purpose, config, principal, state } = lease;
    if (purpose === 'trial') {
      return hasEnded(lease) ? [] : [this.#keys.liveTrialsBy(principal)];
    }
    return [
      { config: undefined, principal: undefined },
      { config, principal: undefined },
      { config: undefined, principal },
      { config, principal },
    ].map((query) => this.#indexOf(query, state));
  }

  #fullError({ config, principal }: Lease, room: RoomName): ResourceExhausted {
    switch (room) {
      case 'config':
        return configIsFull(config, this.#limits);
      case 'principal':
        return principalIsFull(principal, this.#limits);
      case 'trials':
        return hasTooManyTrials(principal);
    }
  }

  /** What must have room for one more live lease. */
  #roomsOf({ purpose, config, principal }: Lease): { name: RoomName; indexes: string[]; most: number }[] {
    return purpose === 'trial'
      ? [{ name: 'trials', indexes: [this.#keys.liveTrialsBy(principal)], most: MAX_TRIALS_OF_PRINCIPAL }]
      : [
          {
            name: 'config',
            indexes: LIVE_STATES.map((state) => this.#keys.leasesOf(config, state)),
            most: this.#limits.perConfig,
          },
          {
            name: 'principal',
            indexes: LIVE_STATES.map((state) => this.#keys.leasesBy(principal, state)),
            most: this.#limits.perPrincipal,
          },
        ];
  }
}

/** The config went on to another access, or its change failed, while the lease was to be given this one. */
function accessIsGone({ id, config }: Lease): Aborted {
  const name = JSON.stringify(config);
  return new Aborted(
    'CONFIG_CHANGED',
    `config ${name} was changed meanwhile: lease ${id} keeps the access that it has`,
  );
}

/** Members and scores as Redis lists them, one after the other. */
function pairs(range: readonly string[]): [string, string][] {
  return range.flatMap((member, index) => (index % 2 === 0 ? [[member, range[index + 1] ?? '']] : []));
}
