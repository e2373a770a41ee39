import type { ChannelOptions } from '@grpc/grpc-js';
import type { Settings } from '../../shared/settings.ts';

/** The largest request is a config with its CA bundle. */
const MAX_REQUEST_BYTES = 256 * 1024;

/**
 * What a connection may have us hold before anybody is known, in requests of up to MAX_REQUEST_BYTES. Beyond it, a client
 * waits until one of its calls has ended.
 */
const CALLS_ON_A_CONNECTION = 256;

const PING_EVERY_MS = 60_000;
const PONG_WITHIN_MS = 20_000;

/** Clients connect again by themselves when they need to. */
const MAX_IDLE_MS = 15 * 60_000;

/**
 * What a connection may hold, and for how long it is kept. One that has come to its age takes no more calls (GOAWAY), and
 * closes when those on it have ended; no grace is set, which would cut off streams. Headers are bounded by Node: 64 KiB
 * in 128 pairs (`maxHeaderListPairs`), as are resets (`streamResetBurst`).
 */
export function connectionOptions(settings: Settings): ChannelOptions {
  return {
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': Math.max(CALLS_ON_A_CONNECTION, settings.LEASEHOLD_MAX_CALLS_PER_PRINCIPAL),
    'grpc.keepalive_time_ms': PING_EVERY_MS,
    'grpc.keepalive_timeout_ms': PONG_WITHIN_MS,
    'grpc.max_connection_idle_ms': MAX_IDLE_MS,
    'grpc.max_connection_age_ms': settings.LEASEHOLD_MAX_CONNECTION_AGE * 1000,
  };
}
