import { setTimeout as sleep } from 'node:timers/promises';
import { retryDelay } from '../shared/domain/retry-delay.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { CarryOptions } from '../shared/tunnel/carry.ts';
import { type Attached, attach, type Instance } from './attach.ts';
import { type Enrolment, enrol, isUnknown, TOKEN_REFUSED } from './enrol.ts';
import type { EnrolledIdentity } from './identity-file.ts';
import type { TunnelServer } from './tunnel-server.ts';

/** Waits before another try. */
const RETRY = { initialMs: 200, maxMs: 10_000 };

/** A stream that lived for so long was a good one: the waits begin anew. */
const LIVED_MS = 10_000;

/** While Leasehold does not know us, only a person can help. */
const UNKNOWN_MS = 60_000;

export interface AgentOptions {
  servers: readonly TunnelServer[];
  identity: EnrolledIdentity | Enrolment;
  instance: Instance;
  /** Decides about channels. */
  accept: CarryOptions['accept'];
  log: Logger;
}

/** Holds one stream to one of the servers, and attaches again whenever it is lost. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #identity: EnrolledIdentity | Enrolment;
  #attached: Attached | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#ended = this.#run();
  }

  /** Ends the stream, and with it the channels. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#attached?.leave();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { servers } = this.#options;
    const { signal } = this.#stopping;
    let tries = 0;
    for (let turn = 0; !signal.aborted; turn++) {
      const server = servers[turn % servers.length];
      if (server) {
        const { error, livedMs } = await this.#attempt(server);
        tries = livedMs >= LIVED_MS ? 1 : tries + 1;
        await this.#rest(server, error, tries, livedMs > 0);
      }
    }
  }

  /** Attaches, enrolling first where needed, and stays until the stream is lost. */
  async #attempt(server: TunnelServer): Promise<{ error: unknown; livedMs: number }> {
    const { instance, accept, log } = this.#options;
    const { signal } = this.#stopping;
    try {
      if ('token' in this.#identity) {
        this.#identity = await enrol(server, this.#identity);
        log.info({ identity: this.#identity.identityId }, 'enrolled');
      }
      const attached = await attach(server, this.#identity, instance, accept, signal);
      const since = performance.now();
      this.#attached = attached;
      log.info({ server: server.address, gateway: attached.gateway, instance: instance.instanceId }, 'attached');
      if (signal.aborted) {
        await attached.leave();
      }
      const error = await attached.over;
      return { error, livedMs: Math.max(1, performance.now() - since) };
    } catch (error) {
      return { error, livedMs: 0 };
    } finally {
      this.#attached = undefined;
    }
  }

  async #rest(server: TunnelServer, error: unknown, tries: number, wasAttached: boolean): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#stopping;
    if (signal.aborted) {
      log.info({ server: server.address }, 'detached');
      return;
    }
    const isRefused = isUnknown(error);
    const waitMs = isRefused
      ? retryDelay(1, { initialMs: UNKNOWN_MS, maxMs: UNKNOWN_MS }, Math.random)
      : retryDelay(tries, RETRY, Math.random);
    const about = { server: server.address, err: error, waitMs };
    if (isRefused) {
      log.error(about, 'token' in this.#identity ? TOKEN_REFUSED : IDENTITY_REFUSED);
    } else {
      log.warn(about, wasAttached ? 'detached; will attach again' : 'could not attach; will try again');
    }
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

const IDENTITY_REFUSED =
  'Leasehold refuses the identity: its gateway was deleted, or its identities were revoked. To let this agent in again, remove the identity file and start it with a token from CreateEnrolmentToken';
