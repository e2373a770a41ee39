import { type Close, CloseReason } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** Characters of a Close's message. */
const MAX_MESSAGE = 256;

/**
 * Why a channel was not opened: the other side does not allow it (`refused`), the target cannot be
 * reached, or there are too many channels already (`unreachable`), the gateway has no agent there (`not-attached`), the stream is gone (`lost`), or there was no
 * answer in time, or the opener's signal aborted (`timeout`).
 */
export type NotOpenedReason = 'refused' | 'unreachable' | 'not-attached' | 'lost' | 'timeout';

/** There is no channel, and nothing was sent to its target. */
export class ChannelNotOpened extends Error {
  readonly reason: NotOpenedReason;

  constructor(reason: NotOpenedReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ChannelNotOpened';
    this.reason = reason;
  }
}

/** An open channel broke. Carries the code of a TCP connection that did, for those who look for it. */
export class ChannelBroken extends Error {
  readonly code = 'ECONNRESET';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ChannelBroken';
  }
}

const REASONS: Partial<Record<CloseReason, NotOpenedReason>> = {
  [CloseReason.CLOSE_REASON_REFUSED]: 'refused',
  [CloseReason.CLOSE_REASON_UNREACHABLE]: 'unreachable',
  [CloseReason.CLOSE_REASON_NOT_ATTACHED]: 'not-attached',
};

/** A Close in answer to an Open. */
export function notOpened({ reason, message }: Close): ChannelNotOpened {
  const why = REASONS[reason] ?? 'lost';
  return new ChannelNotOpened(why, message.slice(0, MAX_MESSAGE) || `the other side answered: ${why}`);
}

/** A Close of an open channel. */
export function brokenBy({ message }: Close): ChannelBroken {
  return new ChannelBroken(
    message === ''
      ? 'the other side closed the channel'
      : `the other side closed the channel: ${message.slice(0, MAX_MESSAGE)}`,
  );
}

/** Answers an Open. A reason of this side only (`lost`, `timeout`) means that the target was not reached. */
export function closeInsteadOfOpening(error: unknown): Close {
  const reason = error instanceof ChannelNotOpened ? error.reason : 'unreachable';
  return {
    reason:
      reason === 'refused'
        ? CloseReason.CLOSE_REASON_REFUSED
        : reason === 'not-attached'
          ? CloseReason.CLOSE_REASON_NOT_ATTACHED
          : CloseReason.CLOSE_REASON_UNREACHABLE,
    message: messageOf(error),
  };
}

/** Ends an open channel, or an Open that is given up. */
export function closeFor(error: Error | null): Close {
  return error === null
    ? { reason: CloseReason.CLOSE_REASON_UNSPECIFIED, message: '' }
    : { reason: CloseReason.CLOSE_REASON_BROKEN, message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE);
}
