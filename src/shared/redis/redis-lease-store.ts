import { z } from 'zod';
import { Aborted, AlreadyExists } from '../domain/errors.ts';
import { attentionTime, LEASE_STATES, type Lease } from '../domain/lease.ts';
import type { Appointment } from '../ports/alarm.ts';
import type { LeaseQuery, LeaseStore, RequestKey } from '../ports/lease-store.ts';
import type { RedisClient } from './connect-redis.ts';
import type { Keys } from './keys.ts';
import { LeaseRecord } from './records.ts';
import { UNUSED_ACCESS_MS } from './redis-accesses.ts';
import { loadScript } from './script.ts';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

const recordScript = loadScript('record-lease');
const saveScript = loadScript('save-lease');
const endScript = loadScript('end-lease');

const RecordAnswer = z.tuple([z.enum(['ok', 'seen', 'reused', 'gone'])]).rest(z.string());

/** How long a request_id leads to its lease. */
const REQUEST_MEMORY_MS = 24 * 60 * 60 * 1000;

/** Records of leases in Redis. Each is in the indexes of its state; ended ones are forgotten after a time. */
export class RedisLeaseStore implements LeaseStore {
  readonly #redis: RedisClient;
  readonly #scripts: ScriptRunner;
  readonly #keys: Keys;
  readonly #retentionMs: number;

  /** `retentionMs`: how long ended leases are kept. */
  constructor(redis: RedisClient, scripts: ScriptRunner, keys: Keys, retentionMs: number) {
    this.#redis = redis;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#retentionMs = retentionMs;
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
        REQUEST_MEMORY_MS,
      ],
    );
    const [outcome, earlierId] = RecordAnswer.parse(answer);
    if (outcome === 'gone') {
      throw new Aborted('CONFIG_CHANGED', `config ${JSON.stringify(lease.config)} was deleted or changed meanwhile`);
    }
    if (outcome === 'reused') {
      throw new AlreadyExists('REQUEST_ID_REUSED', `this request_id was used for another request (lease ${earlierId})`);
    }
    return outcome === 'seen' && earlierId !== undefined ? this.#earlier(earlierId) : undefined;
  }

  async save(lease: Lease): Promise<boolean> {
    const indexes = JSON.stringify(this.#indexesOf(lease));
    const versions = [lease.version - 1, lease.version];
    const requestIsFree = lease.endAs === 'FAILED' ? '1' : '0';
    const answer =
      lease.endTime === undefined
        ? await saveScript(
            this.#scripts,
            [this.#keys.lease(lease.id), this.#keys.due, this.#keys.access(lease.accessId)],
            [
              lease.id,
              ...versions,
              JSON.stringify(lease),
              indexes,
              attentionTime(lease),
              requestIsFree,
              UNUSED_ACCESS_MS,
            ],
          )
        : await endScript(
            this.#scripts,
            [this.#keys.lease(lease.id), this.#keys.due, this.#keys.ended],
            [
              lease.id,
              ...versions,
              JSON.stringify(lease),
              indexes,
              lease.endTime,
              lease.endTime - this.#retentionMs,
              UNUSED_ACCESS_MS,
              requestIsFree,
            ],
          );
    return answer === 1;
  }

  async get(id: string): Promise<Lease | undefined> {
    const data = await storeCall(() => this.#redis.hget(this.#keys.lease(id), 'data'));
    return data === null ? undefined : LeaseRecord.parse(JSON.parse(data));
  }

  async dueBefore(before: number, { offset, limit }: { offset: number; limit: number }): Promise<Appointment[]> {
    const range = await storeCall(() =>
      this.#redis.zrangebyscore(this.#keys.due, '-inf', `(${before}`, 'WITHSCORES', 'LIMIT', offset, limit),
    );
    return pairs(range).map(([leaseId, at]) => ({ leaseId, at: Number(at) }));
  }

  async list({ config, states, before, limit }: LeaseQuery): Promise<Lease[]> {
    const end = before === undefined ? '+' : `(${before}`;
    const pages = await Promise.all(
      (states.length > 0 ? states : LEASE_STATES).map((state) => {
        const index = config === undefined ? this.#keys.leasesIn(state) : this.#keys.leasesOf(config, state);
        return storeCall(() => this.#redis.zrange(index, end, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit));
      }),
    );
    // A lease that changes its state while we read may stand in two pages.
    const newest = [...new Set(pages.flat())].sort().reverse().slice(0, limit);
    const leases = await Promise.all(newest.map((id) => this.get(id)));
    return leases.filter((lease) => lease !== undefined);
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

  /** A trial is in none: it is not listed, and forgotten when it ends. */
  #indexesOf(lease: Lease): string[] {
    return lease.purpose === 'trial'
      ? []
      : [this.#keys.leasesIn(lease.state), this.#keys.leasesOf(lease.config, lease.state)];
  }
}

/** Members and scores as Redis lists them, one after the other. */
function pairs(range: readonly string[]): [string, string][] {
  return range.flatMap((member, index) => (index % 2 === 0 ? [[member, range[index + 1] ?? '']] : []));
}
