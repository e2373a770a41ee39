import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ClusterAddress } from '../../test/support/admin.ts';

/** How the proxy treats the calls that carry one token. */
export type Mood = { kind: 'rest' } | { kind: 'silent' } | { kind: 'slow deletes'; ms: number };

/** Where the proxy passes calls on to. */
export interface ProxyPlace {
  target: string;
  caPem: string;
}

export type ProxyOrder = { kind: 'open' } | { kind: 'mood'; url: string; token: string; mood: Mood | undefined };

/** A proxy before the one API server, which treats each token as it is told: how one tenant is slow or refused alone. */
export interface TokenProxy {
  /** Another URL of the same API server. */
  open(): Promise<ClusterAddress>;
  /** Undefined: calls pass. */
  setMood(url: string, token: string, mood: Mood | undefined): void;
  stop(): Promise<number>;
}

/** Starts it in a thread of its own, so that neither the attacker nor the one who measures waits for the other in it. */
export function startProxy({ url, caPem }: ClusterAddress): TokenProxy {
  const workerData: ProxyPlace = { target: url, caPem };
  const thread = new Worker(new URL('proxy-thread.ts', import.meta.url), { workerData });
  const order = (message: ProxyOrder) => thread.postMessage(message);
  return {
    async open() {
      const opened = once(thread, 'message');
      order({ kind: 'open' });
      const [address] = await opened;
      return address as ClusterAddress;
    },
    setMood: (url, token, mood) => order({ kind: 'mood', url, token, mood }),
    stop: () => thread.terminate(),
  };
}
