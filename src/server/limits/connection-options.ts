import type { ChannelOptions } from '@grpc/grpc-js';
import type { Settings } from '../../shared/settings.ts';

/** The largest request is a config with its CA bundle. */
const MAX_REQUEST_BYTES = 256 * 1024;

/** Streams of a connection at the same time, at the least; beyond, a client waits until one of its calls has ended. */
const STREAMS_OF_A_CONNECTION = 256;

const PING_EVERY_MS = 60_000;
const PONG_WITHIN_MS = 20_000;

/** Clients connect again by themselves when they need to. */
const MAX_IDLE_MS = 15 * 60_000;

/**
 * What a connection may hold, and for how long it is kept. One that has come to its age takes no more calls (GOAWAY),
 * and closes when those on it have ended; no grace is set, which would cut off streams. Streams and headers are bounded
 * by transport/unauthenticated-connections.ts, resets by Node (`streamResetBurst`).
 */
export function connectionOptions(settings: Settings): ChannelOptions {
  return {
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.keepalive_time_ms': PING_EVERY_MS,
    'grpc.keepalive_timeout_ms': PONG_WITHIN_MS,
    'grpc.max_connection_idle_ms': MAX_IDLE_MS,
    'grpc.max_connection_age_ms': settings.LEASEHOLD_MAX_CONNECTION_AGE * 1000,
  };
}

/** Streams of an authenticated connection at the same time: one is enough for all calls that its caller may have. */
export function maxStreams(settings: Settings): number {
  return Math.max(STREAMS_OF_A_CONNECTION, settings.LEASEHOLD_MAX_CALLS_PER_PRINCIPAL);
}
