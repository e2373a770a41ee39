import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Unauthenticated } from '../../shared/domain/errors.ts';

/** For each step of a handshake. */
const TIMEOUT_MS = 10_000;

/** The next message of a stream, which is not read any further then. Throws Unauthenticated where none comes in time. */
export function nextMessage<T>(call: ServerDuplexStream<T, unknown>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      call.off('data', onData).off('end', onEnd).off('error', onEnd).off('cancelled', onEnd);
      call.pause();
    };
    const onData = (message: T): void => {
      stop();
      resolve(message);
    };
    const onEnd = (): void => {
      stop();
      reject(new Unauthenticated('IDENTITY_REFUSED', 'the handshake was not ended in order and in time'));
    };
    const timer = setTimeout(onEnd, TIMEOUT_MS);
    call.on('data', onData).on('end', onEnd).on('error', onEnd).on('cancelled', onEnd);
    call.resume();
  });
}
