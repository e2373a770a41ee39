import { clusterOf } from '../../src/shared/domain/config.ts';
import { LeaseholdError } from '../../src/shared/domain/errors.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { MemoryAlarm } from '../fakes/memory-alarm.ts';
import type { StoredObject } from '../fakes/memory-api-server.ts';
import { MemoryBatchStore } from '../fakes/memory-batch-store.ts';
import { MemoryClusters } from '../fakes/memory-clusters.ts';
import { MemoryConfigStore } from '../fakes/memory-config-store.ts';
import { MemoryGatewayLinks } from '../fakes/memory-gateway-links.ts';
import { MemoryGatewayStore } from '../fakes/memory-gateway-store.ts';
import { MemoryLeaseStore } from '../fakes/memory-lease-store.ts';
import { MemoryRecords } from '../fakes/memory-records.ts';
import { VirtualClock } from '../fakes/virtual-clock.ts';
import { asStraight } from './configs.ts';
import { Faults } from './faults.ts';
import { History, type Made } from './history.ts';
import { portsOf } from './ports-of.ts';
import { Process } from './process.ts';
import { randomFrom } from './random.ts';
import { mentionsSecret } from './secrets.ts';
import { inOwnTrace } from './tracing.ts';
import { type Planted, USE_CASES, type UseCases } from './use-cases.ts';

export const INSTALLATION = 'model';

const START = Date.UTC(2030, 0, 1);

const RETENTION_MS = 30 * 24 * 60 * 60 * 1000;

/** A Leasehold in memory, with clusters, faults, and who watches it. */
export class World {
  readonly clock = new VirtualClock(START);
  readonly faults = new Faults();
  readonly history = new History();
  readonly records = new MemoryRecords(this.clock.now);
  readonly leases = new MemoryLeaseStore(this.records, RETENTION_MS);
  readonly configs = new MemoryConfigStore(this.records);
  readonly batches = new MemoryBatchStore(this.records);
  readonly gateways = new MemoryGatewayStore(() => this.clock.now());
  readonly gatewayLinks = new MemoryGatewayLinks(this.gateways);
  readonly alarm = new MemoryAlarm(this.records.journal);
  readonly clusters = new MemoryClusters(this.clock.now);
  readonly random: () => number;
  readonly useCases: UseCases;
  readonly #around: (ports: Ports) => Ports;

  constructor(seed: number, { useCases = {}, around = (ports) => ports }: Planted = {}) {
    this.random = randomFrom(seed);
    this.useCases = { ...USE_CASES, ...useCases };
    this.#around = around;
  }

  /** Lets a new process run a use case; tells its result, its error (which is looked at), or its death. */
  start<T>(name: string, work: (ports: Ports) => Promise<T>, hear: Hearing<T> = {}): void {
    const process = new Process(name, this);
    process.onDeath(() => hear.death?.());
    const ports = this.#around(portsOf(this, process));
    inOwnTrace(name, () => work(ports)).then(
      (result) => hear.result?.(result),
      (error: unknown) => {
        this.#lookAt(name, error);
        hear.error?.();
      },
    );
  }

  storedLease(id: string): Lease | undefined {
    const kept = this.records.leases.get(id);
    return kept && (JSON.parse(kept.json) as Lease);
  }

  storedConfig(name: string): { accessId: string } | undefined {
    return this.records.configs.get(name);
  }

  /** The cluster does not accept the token of that access any more. */
  revokeToken(accessId: string): void {
    const access = this.records.access(accessId)?.access;
    if (access && !this.faults.haveStopped) {
      this.clusters.server(clusterOf(access)).revokedTokens.add(asStraight(access).token.reveal());
    }
  }

  liveLeases(): Lease[] {
    return [...this.records.leases.values()].filter(({ live }) => live).map(({ json }) => JSON.parse(json) as Lease);
  }

  /** What was made for leases and still stands, in any cluster. */
  standing(): (Made & StoredObject)[] {
    return [...this.clusters.servers].flatMap(([url, { objects }]) =>
      objects.flatMap((object) => {
        const made = this.history.made.get(`${url} ${object.uid}`);
        return made ? [{ ...object, ...made }] : [];
      }),
    );
  }

  /** A caller is told of what failed, in words that may be shown to anybody. */
  #lookAt(name: string, error: unknown): void {
    const isExpected = error instanceof LeaseholdError || (error as Error).name === 'AbortError';
    const { history } = this;
    history.require(isExpected || history.isLossy, 0, () => `${name} failed with ${(error as Error).stack}`);
    history.require(!mentionsSecret({ error }), 8, () => `the error of ${name} shows a secret`);
  }
}

/** Who waits for a process. */
export interface Hearing<T> {
  result?: (result: T) => void;
  error?: () => void;
  death?: () => void;
}
