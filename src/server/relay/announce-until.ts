import type { GatewayLink } from '../../shared/domain/gateway.ts';
import type { RelayHost } from './relay-host.ts';

/** Also how soon an agent is cut off whose gateway was deleted. */
const EVERY_MS = 1_000;

/**
 * Announces a link again and again, so that other processes find it; `cutOff` is called where its identity does not count
 * any more. While the store is away the stream stays: nothing can be done through it then, and it is needed afterwards.
 */
export async function announceUntil(
  signal: AbortSignal,
  { clock, gatewayLinks, log }: RelayHost['ports'],
  link: GatewayLink,
  cutOff: () => void,
): Promise<void> {
  let isAnnounced = true;
  while (!signal.aborted) {
    await clock.sleep(EVERY_MS, signal).catch(() => undefined);
    try {
      if (!signal.aborted && !(await gatewayLinks.announce(link))) {
        return cutOff();
      }
      isAnnounced = true;
    } catch (error) {
      if (isAnnounced) {
        log.warn({ gateway: link.gateway.name, err: error }, 'a link could not be announced; will try again');
      }
      isAnnounced = false;
    }
  }
}
