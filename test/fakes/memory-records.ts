import type { Access } from '../../src/shared/domain/config.ts';
import { Journal } from './journal.ts';

/** A lease as it is kept: JSON, like in a real store, so that nobody shares an object with it. */
export interface KeptLease {
  json: string;
  version: number;
  live: boolean;
  /** A trial is not. */
  listed: boolean;
  endTime: number | undefined;
  principal: string;
  config: string;
  accessId: string;
  formerAccessId: string | undefined;
  /** Under which its request is kept. */
  request: string | undefined;
}

interface KeptConfig {
  json: string;
  uid: string;
  version: number;
  accessId: string;
  /** Calls that delete it, and until when their marks count. */
  deletions: readonly { id: string; until: number }[];
  creator: string | undefined;
}

interface KeptAccess {
  access: Access;
  /** Configs and live leases that name it. */
  uses: number;
  /** When it goes; undefined while it is in use. */
  goneAt: number | undefined;
  /** Who has it tried, while it is. */
  trialOf?: string | undefined;
  /** For how long it stays when nothing names it any more. Left out: as long as a trial may take. */
  graceMs?: number;
}

export interface MemoryBatch {
  json: string;
  reports: readonly string[];
  /** How many came before those. */
  forgotten?: number;
  ended: boolean;
}

/** The tables that the stores in memory share, as those on Redis share one database. Every change is in the journal. */
export class MemoryRecords {
  readonly leases = new Map<string, KeptLease>();
  readonly configs = new Map<string, KeptConfig>();
  readonly accesses = new Map<string, KeptAccess>();
  readonly requests = new Map<string, { fingerprint: string; leaseId: string; goneAt: number }>();
  /** By principal: until when its issues fill the rate that it is allowed. */
  readonly filledUntil = new Map<string, number>();
  readonly batches = new Map<string, MemoryBatch>();
  readonly journal: Journal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;

  constructor(now: () => number, journal = new Journal()) {
    this.now = now;
    this.journal = journal;
  }

  access(id: string): KeptAccess | undefined {
    const kept = this.accesses.get(id);
    return kept?.goneAt !== undefined && kept.goneAt <= this.now() ? undefined : kept;
  }

  /** One more that names the access, or (-1) one less; the last one leaves it for a time. */
  use(id: string, change: 1 | -1): void {
    const kept = this.accesses.get(id);
    if (kept) {
      const uses = kept.uses + change;
      const goneAt = uses <= 0 ? this.now() + (kept.graceMs ?? UNUSED_ACCESS_MS) : undefined;
      this.journal.set(this.accesses, id, { ...kept, uses, goneAt });
    }
  }
}

/** As long as in the real store, as is the next. */
export const UNUSED_ACCESS_MS = 60 * 60 * 1000;
export const FORMER_ACCESS_MS = 60 * 1000;
