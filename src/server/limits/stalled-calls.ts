import { constants, type ServerHttp2Stream } from 'node:http2';
import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { actionOf } from '../audit.ts';
import type { Refusal } from '../refusal-floods.ts';
import { streamOf } from '../transport/call-stream.ts';
import { addressOf } from './source-network.ts';

/**
 * Ends calls whose other side stands still for so long, because each holds memory of ours: with a message that it does not
 * take, or in waiting for a request that does not come to its end (one that is a stream may take as long as it likes). The
 * status cannot be sent, which would wait behind that message, so the stream is reset: to a gRPC client, ENHANCE_YOUR_CALM is
 * RESOURCE_EXHAUSTED. The code of the call sees that it is cancelled.
 */
export function endStalledCalls(patienceMs: number, tell: (rpc: string, peer: string) => void): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const giveUp = (stream: ServerHttp2Stream) => {
      if (!stream.destroyed) {
        tell(path, call.getPeer());
        stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      }
    };
    const stream = streamOf(call);
    if (!requestStream) {
      const timer = setTimeout(giveUp, patienceMs, stream).unref();
      stream.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    }
    return new WatchedCall(call, stream, patienceMs, giveUp);
  };
}

/** How such a call is summed up where there are many. The interceptor does not know who calls. */
export function stalledCall(rpc: string, peer: string): Refusal {
  return {
    principal: undefined,
    sourceIp: addressOf(peer),
    action: actionOf(rpc),
    code: 'RESOURCE_EXHAUSTED',
    reason: 'CALLER_STALLED',
  };
}

class WatchedCall extends ServerInterceptingCall {
  readonly #stream: ServerHttp2Stream;
  readonly #patienceMs: number;
  readonly #giveUp: (stream: ServerHttp2Stream) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    call: ServerInterceptingCallInterface,
    stream: ServerHttp2Stream,
    patienceMs: number,
    giveUp: (stream: ServerHttp2Stream) => void,
  ) {
    super(call);
    this.#stream = stream;
    this.#patienceMs = patienceMs;
    this.#giveUp = giveUp;
    stream.once('close', () => clearTimeout(this.#timer));
  }

  /** grpc-js hands over one message at a time; `taken` is called when HTTP/2's windows have let it out. */
  override sendMessage(message: unknown, taken: () => void): void {
    this.#timer = setTimeout(this.#giveUp, this.#patienceMs, this.#stream).unref();
    super.sendMessage(message, () => {
      clearTimeout(this.#timer);
      taken();
    });
  }
}
