import { propagation } from '@opentelemetry/api';
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

/** Lets a call in that needs no authentication, within the bounds of what nobody answers for. */
export function admitAnonymous(
  call: NewCall,
  { connections, calls }: { connections: UnauthenticatedConnections; calls: UnauthenticatedCalls },
): void {
  const { metadata, stream } = call;
  // Whose trace it belongs to is not for a stranger to say.
  for (const field of propagation.fields()) {
    metadata.remove(field);
  }
  const ends = [connections.beginAnonymous(stream.session)];
  if (!connections.isAuthenticated(stream.session)) {
    ends.push(calls.begin(call.network, (error) => void call.refuse(statusOf(error))));
  }
  stream.once('close', () => ends.forEach((end) => void end()));
  boundBytes(call);
}
