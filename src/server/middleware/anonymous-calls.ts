import { propagation } from '@opentelemetry/api';
import type { ResourceExhausted } from '../../shared/domain/errors.ts';
import { countRefused } from '../../shared/telemetry/metrics.ts';
import type { UnauthenticatedCalls } from '../limits/unauthenticated-calls.ts';
import type { UnauthenticatedConnections } from '../transport/unauthenticated-connections.ts';
import { boundBytes } from './bound-bytes.ts';
import type { NewCall } from './new-call.ts';
import { statusOf } from './status-of.ts';

/** Health checking may be called without authentication, and nothing else. */
const HEALTH = '/grpc.health.v1.Health/';

export function isAnonymous(path: string): boolean {
  return path.startsWith(HEALTH);
}

/** Lets a call in that needs no authentication, within the bounds of calls whose callers are not known. */
export function admitAnonymous(
  call: NewCall,
  { connections, calls }: { connections: UnauthenticatedConnections; calls: UnauthenticatedCalls },
): void {
  const { metadata, stream } = call;
  // A caller who is not authenticated must not add to the trace of another.
  for (const field of propagation.fields()) {
    metadata.remove(field);
  }
  const ends = [connections.beginAnonymous(stream.session)];
  if (!connections.isAuthenticated(stream.session)) {
    ends.push(calls.begin(call.network, (error) => giveWay(call, error)));
  }
  stream.once('close', () => ends.forEach((end) => void end()));
  boundBytes(call);
}

/** Refuses a call that has no audit event, because too many others came. */
export function giveWay(call: NewCall, error: ResourceExhausted): void {
  countRefused(error.reason);
  void call.refuse(statusOf(error));
}
