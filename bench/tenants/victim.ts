import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseholdClient } from '../../test/support/leasehold.ts';
import { rejectionOf } from '../../test/support/rejection.ts';

// A tenant who issues and revokes at a steady, modest pace.

const CALLERS = 4;
const PER_SECOND = 10;
const SECONDS = 6;

/** A caller waits no longer; what takes longer counts as failed. */
const CALL_TIMEOUT_MS = 5_000;

/** Calls of one kind: how long those that succeeded took, and why others failed. */
export interface Calls {
  tookMs: number[];
  failures: string[];
}

export interface Experience {
  issues: Calls;
  revocations: Calls;
  /** Resident memory of the server, at most. */
  serverMib: number;
}

/** Leases that are there before the attack begins, so that revocations are tried where issues fail. */
export async function stockOf({ leases }: LeaseholdClient, config: string): Promise<string[]> {
  const stock: string[] = [];
  while (stock.length < PER_SECOND * SECONDS) {
    const { lease } = await leases.issueLease({ config });
    stock.push(lease?.id ?? '');
  }
  return stock;
}

/** Issues and revokes for some seconds: each caller begins anew when its turn comes and its call before is answered. */
export async function experience(
  { leases }: LeaseholdClient,
  config: string,
  stock: string[],
  serverPid: number,
): Promise<Experience> {
  const issues: Calls = { tookMs: [], failures: [] };
  const revocations: Calls = { tookMs: [], failures: [] };
  const memory = watchMemory(serverPid);
  const endsAt = performance.now() + SECONDS * 1000;
  const caller = async (_: unknown, index: number) => {
    const everyMs = (1000 * CALLERS) / PER_SECOND;
    await sleep((everyMs / CALLERS) * index);
    while (performance.now() < endsAt) {
      const turn = sleep(everyMs);
      const issued = await timed(issues, (signal) => leases.issueLease({ config }, { signal }));
      if (issued?.lease) {
        stock.push(issued.lease.id);
      }
      const id = stock.shift();
      if (id !== undefined) {
        await timed(revocations, (signal) => leases.revokeLease({ id }, { signal }));
      }
      await turn;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { issues, revocations, serverMib: memory.stop() };
}

async function timed<T>(calls: Calls, call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const startedAt = performance.now();
  const answer = call(signal);
  try {
    const result = await answer;
    calls.tookMs.push(performance.now() - startedAt);
    return result;
  } catch {
    calls.failures.push(signal.aborted ? 'no answer in time' : await reasonOf(answer));
    return undefined;
  }
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  const { reason, code } = await rejectionOf(call);
  return reason ?? `gRPC status ${code}`;
}

/** Resident memory of a process as the kernel counts it (proc(5)), looked at each 100 ms. */
function watchMemory(pid: number): { stop(): number } {
  let most = 0;
  const look = async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    most = Math.max(most, Math.round(Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024));
  };
  const timer = setInterval(() => void look(), 100);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
