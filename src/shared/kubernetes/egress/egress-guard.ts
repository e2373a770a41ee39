import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildConnector } from 'undici';
import { principalName } from '../../domain/principal.ts';
import { currentCaller } from '../../telemetry/current-caller.ts';
import { type Network, refusalOf } from './judge-address.ts';
import { SourceTurns, TooManyWaiting } from './source-turns.ts';

/** All addresses of a host's name. Fails where it has none. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

const byTheSystem: Resolve = (host) => dns.lookup(host, { all: true });

/**
 * The system resolves names in threads of this process, half of those that there are (libuv, `UV_THREADPOOL_SIZE`). A name
 * server that does not answer keeps one for many seconds, and nothing gives it back sooner.
 */
const THREADS = resolverThreads(process.env['UV_THREADPOOL_SIZE']);

/** Of the whole process: whose names are not answered waits for its own. */
const TURNS = new SourceTurns({ atOnce: THREADS, atOnceEach: Math.max(1, Math.floor(THREADS / 4)), waiting: 1_024 });

/** A name whose answer takes longer is dialed at its last one, of which this is the longest age. */
const LATE_MS = 500;
const BELIEVED_MS = 10 * 60 * 1000;

/** The last answer that a connector got. */
interface Answer {
  host: string;
  addresses: LookupAddress[];
  at: number;
}

/** A host was not dialed, because Leasehold does not call such an address. */
export class AddressNotAllowed extends Error {
  constructor(host: string, address: string, refusal: string) {
    super(host === address ? `${host} is ${refusal}` : `${host} leads to ${address}, ${refusal}`);
    this.name = 'AddressNotAllowed';
  }
}

/** Whether a call failed because of it. */
export function isAddressNotAllowed(error: unknown): boolean {
  return error instanceof AddressNotAllowed || (error instanceof Error && isAddressNotAllowed(error.cause));
}

/**
 * Keeps whoever may write a config, or an issuer's discovery document, from having this machine call what only it can
 * reach. A name is resolved once for each connection, every address of it is judged, and those that were judged are
 * dialed: a second answer of its DNS is never asked for. Callers take turns for the threads that resolve names, and a
 * connector whose name is not answered in time uses the addresses of its last connection, which are judged again.
 */
export class EgressGuard {
  readonly #allowed: readonly Network[];
  readonly #resolve: Resolve;
  readonly #turns: SourceTurns;
  readonly #resolving = new Map<string, Promise<LookupAddress[]>>();

  /** `allowed`: the loopback and private networks that may be called. `turns`: for names to be resolved. */
  constructor(allowed: readonly Network[], resolve: Resolve = byTheSystem, turns = TURNS) {
    this.#allowed = allowed;
    this.#resolve = resolve;
    this.#turns = turns;
  }

  /**
   * A connector that dials only what may be called. Its callback gets AddressNotAllowed where that is nothing. `whose`: who
   * takes turns for its names where no caller is known, as in the worker.
   */
  connector(options: buildConnector.BuildOptions, whose: string): buildConnector.connector {
    const connect = buildConnector({ ...options, lookup: this.#lookupOf(whose) });
    return (target, callback) => {
      try {
        this.#requireLiteralAllowed(target.hostname);
      } catch (error) {
        callback(error as Error, null);
        return;
      }
      connect(target, callback);
    };
  }

  /** Throws AddressNotAllowed where the host of a URL is an address that may not be called. Names are judged later. */
  requireMayCall(url: string): void {
    this.#requireLiteralAllowed(new URL(url).hostname.replace(/^\[|\]$/g, ''));
  }

  #lookupOf(whose: string): LookupFunction {
    let last: Answer | undefined;
    const keep = (answer: Answer) => {
      last = answer;
    };
    return (host, options, callback) => {
      const before = last?.host === host && performance.now() - last.at < BELIEVED_MS ? last.addresses : undefined;
      const resolving = this.#resolveOnce(host, whose);
      resolving.then(
        (addresses) => keep({ host, addresses, at: performance.now() }),
        () => undefined,
      );
      this.#judged(host, before ? inTime(resolving, before) : resolving).then(
        (addresses) =>
          options.all ? callback(null, addresses) : callback(null, addresses[0].address, addresses[0].family),
        (error: NodeJS.ErrnoException) => callback(error, ''),
      );
    };
  }

  async #judged(host: string, resolving: Promise<LookupAddress[]>): Promise<[LookupAddress, ...LookupAddress[]]> {
    const [first, ...others] = await resolving;
    if (!first) {
      throw new Error(`${host} has no address`);
    }
    for (const { address } of [first, ...others]) {
      this.#requireAllowed(host, address);
    }
    return [first, ...others];
  }

  /** Of one caller, those who ask at the same time get one answer. Nobody waits in the line of another, also for the same name. */
  #resolveOnce(host: string, whose: string): Promise<LookupAddress[]> {
    const caller = currentCaller();
    const source = caller ? `principal:${principalName(caller)}` : whose;
    const asked = JSON.stringify([source, host]);
    const resolving =
      this.#resolving.get(asked) ??
      this.#turns.take(source, () => this.#resolve(host)).finally(() => this.#resolving.delete(asked));
    this.#resolving.set(asked, resolving);
    return resolving;
  }

  /** For a host that is an address: it is dialed without a lookup. */
  #requireLiteralAllowed(host: string): void {
    if (isIP(host) !== 0) {
      this.#requireAllowed(host, host);
    }
  }

  #requireAllowed(host: string, address: string): void {
    const refusal = refusalOf(address, this.#allowed);
    if (refusal !== undefined) {
      throw new AddressNotAllowed(host, address, refusal);
    }
  }
}

/** `setting`: read as libuv reads it (its threadpool.c): what is no number is one thread, more than 1,024 are 1,024. */
export function resolverThreads(setting = '4'): number {
  const threads = Math.min(1_024, Math.max(1, Number.parseInt(setting, 10) || 0));
  return Math.floor((threads + 1) / 2);
}

/** What is resolved, or the answer before where that does not come in time. That there is no such name is an answer. */
async function inTime(resolving: Promise<LookupAddress[]>, before: LookupAddress[]): Promise<LookupAddress[]> {
  try {
    return await Promise.race([resolving, sleep(LATE_MS, before, { ref: false })]);
  } catch (error) {
    if (error instanceof TooManyWaiting) {
      return before;
    }
    throw error;
  }
}
