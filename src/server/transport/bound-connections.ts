import type { Settings } from '../../shared/settings.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { withoutRepeats } from '../../shared/telemetry/without-repeats.ts';
import { ConnectionsOfCallers } from './connections-of-callers.ts';
import { UnauthenticatedConnections } from './unauthenticated-connections.ts';

/** More than a caller needs, who may have each call on a connection of its own. */
const MIN_CONNECTIONS_OF_A_CALLER = 256;

/**
 * The bounds of a listener, as the settings say; the log tells when they are reached. `maxStreams`: of one connection.
 */
export function boundConnections(
  listener: 'server' | 'relay',
  maxStreams: number,
  { LEASEHOLD_MAX_UNAUTHENTICATED_CONNECTIONS: max }: Settings,
  log: Logger,
): UnauthenticatedConnections {
  const warn = withoutRepeats(({ message }, repeats) => log.warn({ listener, max, repeats }, message));
  return new UnauthenticatedConnections({ max, maxStreams }, () =>
    warn(new Error('too many connections without an authenticated call: the oldest are closed')),
  );
}

/** The bound of what each known caller has; the log tells when it is reached. */
export function boundConnectionsOfCallers(
  { LEASEHOLD_MAX_CALLS_PER_PRINCIPAL: maxCalls }: Settings,
  log: Logger,
): ConnectionsOfCallers {
  const max = Math.max(MIN_CONNECTIONS_OF_A_CALLER, maxCalls);
  const warn = withoutRepeats(({ message }, repeats) => log.warn({ max, repeats }, message));
  return new ConnectionsOfCallers(max, (principal) =>
    warn(new Error(`${principal} has too many connections: those that were not used for longest are closed`)),
  );
}
