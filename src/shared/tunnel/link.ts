import type { Frame } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** What a frame says of its channel. */
export type Step = NonNullable<Frame['kind']>;

/** One number of a stream's channels, as its multiplexer sees it: asked for, being decided about, or open. */
export interface Member {
  /** A step of the other side. */
  receive(step: Step): void;
  /** The stream is gone. */
  lose(why: Error): void;
}

/** What the members have of their multiplexer. */
export interface Link {
  send(step: Step): void;
  /** From now on steps go to another member of the same number. */
  become(member: Member): void;
  /** The number is done with. */
  leave(): void;
}
