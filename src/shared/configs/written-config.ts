import type { Config } from '../domain/config.ts';
import type { Ports } from '../ports/ports.ts';

/** A config as it was stored, and what could not be tried on its cluster before, in words for people. */
export interface WrittenConfig {
  config: Config;
  warnings: readonly string[];
}

/** Logs that a config was stored. */
export function tellWritten(
  { log }: Ports,
  message: string,
  { warnings, ...fields }: Record<string, unknown> & Pick<WrittenConfig, 'warnings'>,
): void {
  if (warnings.length > 0) {
    log.warn({ ...fields, warnings }, message);
  } else {
    log.info(fields, message);
  }
}
