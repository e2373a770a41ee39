import { constants, type ServerHttp2Stream } from 'node:http2';
import { isIP } from 'node:net';
import { Metadata as GrpcMetadata, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { type CallContext, Metadata, type ServerError, type ServerMiddlewareCall } from 'nice-grpc-common';
import { errorDetailsServerMiddleware } from 'nice-grpc-error-details';
import { addressOf, sourceNetwork } from '../limits/source-network.ts';
import { streamOf } from '../transport/call-stream.ts';

const DETAILS = 'grpc-status-details-bin';

/** In the state of a stream: its other side has sent everything. */
const HAS_ENDED = 1;

/** A call whose headers have come, and whose request is not read yet. */
export class NewCall {
  readonly path: string;
  readonly metadata: GrpcMetadata;
  readonly stream: ServerHttp2Stream;
  readonly #call: ServerInterceptingCallInterface;
  #isRefused = false;

  constructor(path: string, metadata: GrpcMetadata, call: ServerInterceptingCallInterface) {
    this.path = path;
    this.metadata = metadata;
    this.stream = streamOf(call);
    this.#call = call;
  }

  /** Whether nobody waits for its answer any more: it was refused, its deadline has passed, or its caller has left. */
  get isOver(): boolean {
    return this.#isRefused || this.stream.destroyed || this.stream.headersSent;
  }

  /** Whether it was refused, also where its caller had left by then. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  get sourceIp(): string | undefined {
    const address = addressOf(this.#call.getPeer()).replace(/^::ffff:(?=[\d.]+$)/i, '');
    return isIP(address) ? address : undefined;
  }

  /** The network that it counts for while its caller is not known. */
  get network(): string {
    return sourceNetwork(this.sourceIp);
  }

  /**
   * Ends it: what else comes of its request is discarded, and its stream is reset after the answer (RFC 9113, 8.1), so
   * that the client does not go on sending. An answer that has begun is cut off: to a gRPC client, ENHANCE_YOUR_CALM is
   * RESOURCE_EXHAUSTED. One that is complete is left to arrive.
   */
  async refuse(error: ServerError): Promise<void> {
    if (this.stream.headersSent) {
      const { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = constants;
      this.stream.close(this.stream.writableEnded ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
    }
    const isAnswered = this.isOver;
    this.#isRefused = true;
    if (isAnswered) {
      return;
    }
    const metadata = await detailsOf(error);
    this.#call.sendStatus({ code: error.code, details: error.details, metadata });
    if (this.stream.state.remoteClose !== HAS_ENDED) {
      this.stream.close(constants.NGHTTP2_NO_ERROR);
    }
  }
}

/** As the library's middleware sets them, which is the one place that encodes them. */
async function detailsOf(error: ServerError): Promise<GrpcMetadata> {
  const trailer = Metadata();
  // biome-ignore lint/correctness/useYield: a call that fails at once.
  const next = async function* (): AsyncGenerator<never, never, undefined> {
    throw error;
  };
  const call = { next } as unknown as ServerMiddlewareCall<unknown, unknown>;
  await errorDetailsServerMiddleware(call, { trailer } as CallContext)
    .next()
    .catch(() => undefined);
  const metadata = new GrpcMetadata();
  const details = trailer.get(DETAILS);
  if (details) {
    metadata.set(DETAILS, Buffer.from(details));
  }
  return metadata;
}
