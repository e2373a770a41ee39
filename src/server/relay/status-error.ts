import { status } from '@grpc/grpc-js';
import { LeaseholdError, ResourceExhausted, Unauthenticated, Unavailable } from '../../shared/domain/errors.ts';

/** An error as grpc-js sends it to the other side: what is ours to tell, and nothing of a fault. */
export function statusError(error: unknown): Error & { code: status; details: string } {
  const code =
    error instanceof Unauthenticated
      ? status.UNAUTHENTICATED
      : error instanceof ResourceExhausted
        ? status.RESOURCE_EXHAUSTED
        : error instanceof Unavailable
          ? status.UNAVAILABLE
          : status.INTERNAL;
  const details = error instanceof LeaseholdError ? error.message : 'internal error; see the server log';
  return Object.assign(new Error(details), { code, details });
}
