import type { Settings } from '../../shared/settings.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { withoutRepeats } from '../../shared/telemetry/without-repeats.ts';
import { UnauthenticatedConnections } from './unauthenticated-connections.ts';

/** The bounds of a listener, as the settings say; the log tells when they are reached. */
export function boundConnections(
  listener: 'server' | 'relay',
  { LEASEHOLD_MAX_UNAUTHENTICATED_CONNECTIONS: max }: Settings,
  log: Logger,
): UnauthenticatedConnections {
  const warn = withoutRepeats(({ message }, repeats) => log.warn({ listener, max, repeats }, message));
  return new UnauthenticatedConnections(max, () =>
    warn(new Error('too many connections without an authenticated call: the oldest are closed')),
  );
}
