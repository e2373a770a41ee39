import { constants } from 'node:http2';
import fc from 'fast-check';
import { Status } from 'nice-grpc';
import { PATIENCE_MS } from '../support/patience.ts';
import type { RawOutcome } from '../support/raw-grpc.ts';
import { mutate } from './mutations.ts';
import { type KnownValues, oddMessages } from './odd-messages.ts';
import { Random } from './random.ts';
import type { Target } from './targets.ts';

/** An answer that must not be, and what it was the answer to. */
interface Fault {
  outcome: string;
  details: string;
  /** In hex, and where they are long, only their beginnings. */
  messages: string[];
}

/** How all that was sent came out. */
export interface Tally {
  messages: number;
  /** Calls by how they came out. */
  outcomes: Map<string, number>;
  faults: Fault[];
}

/** Most are smaller by far. What is larger than a request may be is refused before it is looked at. */
const MAX_BYTES = 20_000;

const SAMPLES = 4_000;
const MAX_FAULTS = 5;

/** Sends so many messages, many at once: random bytes, odd ones that are valid in form, and those changed. */
export async function fuzzTarget(
  target: Target,
  known: KnownValues,
  { messages, seed }: { messages: number; seed: number },
): Promise<Tally> {
  const random = new Random(seed);
  const numRuns = Math.min(SAMPLES, Math.max(100, Math.ceil(messages / 4)));
  const samples = fc.sample(oddMessages(target.request, known), { numRuns, seed });
  const tally: Tally = { messages: 0, outcomes: new Map(), faults: [] };
  const sendOn = async () => {
    while (tally.messages < messages) {
      const batch = Array.from({ length: Math.min(1 + random.below(target.most), messages - tally.messages) }, () =>
        messageOf(samples, random).subarray(0, MAX_BYTES),
      );
      tally.messages += batch.length;
      note(tally, batch, await inTime(target.send(batch)));
    }
  };
  await Promise.all(Array.from({ length: target.atOnce }, sendOn));
  return tally;
}

function messageOf(samples: readonly Buffer[], random: Random): Buffer {
  const sample = samples[random.below(samples.length)] ?? Buffer.of();
  const kind = random.next();
  if (kind < 0.15) {
    return random.bytes(random.below(kind < 0.01 ? 2_000 : 60));
  }
  return kind < 0.65 ? mutate(sample, random) : sample;
}

function note(tally: Tally, messages: readonly Buffer[], outcome: RawOutcome | undefined): void {
  const name = nameOf(outcome);
  tally.outcomes.set(name, (tally.outcomes.get(name) ?? 0) + 1);
  if (MUST_NOT_BE.test(name) && tally.faults.length < MAX_FAULTS) {
    const details = outcome?.message ?? '';
    tally.faults.push({
      outcome: name,
      details,
      messages: messages.map((message) => shortened(message.toString('hex'))),
    });
  }
}

function shortened(hex: string): string {
  return hex.length > 400 ? `${hex.slice(0, 400)}... (${hex.length / 2} bytes)` : hex;
}

const MUST_NOT_BE = /^(?:INTERNAL|UNKNOWN|UNIMPLEMENTED|no answer|reset)/;

function nameOf(outcome: RawOutcome | undefined): string {
  if (!outcome) {
    // One that must not be.
    return `no answer in ${PATIENCE_MS} ms`;
  }
  const { status, resetCode } = outcome;
  if (status === undefined && resetCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
    // To gRPC clients (its HTTP/2 mapping): a call that has to give way when its answer has begun.
    return 'RESOURCE_EXHAUSTED';
  }
  return status === undefined ? `reset (${resetCode})` : (Status[status] ?? String(status));
}

async function inTime(sending: Promise<RawOutcome>): Promise<RawOutcome | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), PATIENCE_MS);
  try {
    return await Promise.race([sending, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
