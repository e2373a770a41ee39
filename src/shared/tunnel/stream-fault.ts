import type { status } from '@grpc/grpc-js';

/** Why a stream of the tunnel is ended by whom it was not meant to be ended. `code` is the status that a client sees (grpc-js ServerErrorResponse). */
export class StreamFault extends Error {
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}
