import { logLevelIn } from './log-level.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';
import { startTelemetry } from './telemetry/start-telemetry.ts';

/** What a process runs, and how it is stopped: draining what is under way. */
export interface Service {
  stop(): Promise<void>;
}

/** The life of a process: settings, telemetry, the service, then SIGTERM or SIGINT, drain, exit. */
export async function runProcess<Settings>(
  name: string,
  readSettings: (environment: NodeJS.ProcessEnv) => Settings,
  start: (settings: Settings, log: Logger) => Promise<Service>,
): Promise<void> {
  const log = createLogger(name, logLevelIn(process.env));
  try {
    const settings = readSettings(process.env);
    const stopTelemetry = startTelemetry(name);
    const service = await start(settings, log);
    const signal = await new Promise((resolve) => {
      process.once('SIGTERM', resolve);
      process.once('SIGINT', resolve);
    });
    log.info({ signal }, 'stopping');
    await service.stop();
    // Leases do not wait for traces, nor does the end.
    await stopTelemetry().catch((error: unknown) => log.warn({ err: error }, 'the last spans were not sent'));
    log.info('stopped');
    // A library that still tries to reach what is away would keep the process alive.
    process.exit(0);
  } catch (error) {
    log.fatal({ err: error }, 'cannot go on');
    // What was opened before the failure would keep the process alive.
    process.exit(1);
  }
}
