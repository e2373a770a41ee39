import { z } from 'zod';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** The level of a log, whatever its case. */
export const LogLevel = z.string().toLowerCase().pipe(z.enum(LEVELS)).prefault('info');

/** Of an environment that was not parsed yet: what is wrong with it is to be logged as well. */
export function logLevelIn({ LEASEHOLD_LOG_LEVEL: text }: NodeJS.ProcessEnv): string {
  return LogLevel.catch('info').parse(text?.trim());
}
