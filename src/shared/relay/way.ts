import type { Duplex } from 'node:stream';
import type { Target } from '../tunnel/target.ts';

/** One way to a gateway: one of its agents here, or another server that holds some. */
export interface Way {
  /** Tells it from others. */
  name: string;
  /** `signal` gives up early. Throws ChannelNotOpened. */
  open(target: Target, options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<Duplex>;
}
