import type { Ports } from '../../src/shared/ports/ports.ts';

/** A log that keeps what it is told: level and message. */
export function keepLog(): { log: Ports['log']; lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    log: {
      info: (_, message) => void lines.push(`info: ${message}`),
      warn: (_, message) => void lines.push(`warn: ${message}`),
    },
  };
}
