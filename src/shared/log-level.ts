import { anyCase } from './any-case.ts';

export const LogLevel = anyCase(['trace', 'debug', 'info', 'warn', 'error', 'silent']).prefault('info');

/** Of an environment that was not parsed yet: what is wrong with it is to be logged as well. */
export function logLevelIn({ LEASEHOLD_LOG_LEVEL: text }: NodeJS.ProcessEnv): string {
  return LogLevel.catch('info').parse(text?.trim());
}
