import type { status } from '@grpc/grpc-js';

/** Why a stream of the tunnel is ended, with the status that its client sees (grpc-js ServerErrorResponse). */
export class StreamEnd extends Error {
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}
