import type { Duplex } from 'node:stream';
import type { Target } from '../tunnel/target.ts';

/** One way to a gateway: one of its agents here, or another server that holds some. */
export interface Way {
  /** Tells it from others. */
  name: string;
  /** Throws ChannelNotOpened. */
  open(target: Target, timeoutMs: number): Promise<Duplex>;
}
