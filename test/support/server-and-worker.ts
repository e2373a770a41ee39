import { connectTo, type LeaseholdClient } from './leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from './leasehold-process.ts';

/** Leasehold as in production: two processes, and a client of the server. */
export interface ServerAndWorker {
  server: LeaseholdProcess;
  worker: LeaseholdProcess;
  address: string;
  client: LeaseholdClient;
  /** SIGTERM to both; their exit codes. */
  stop(): Promise<[number | null, number | null]>;
}

/** Starts both with the same environment, and returns when they serve and work. */
export async function startServerAndWorker(environment: Record<string, string>): Promise<ServerAndWorker> {
  const server = spawnLeasehold('server', environment);
  const worker = spawnLeasehold('worker', environment);
  const stop = () => Promise.all([server.stop(), worker.stop()]);
  try {
    const { address = '' } = await server.logged('serving');
    await worker.logged('working');
    const client = connectTo(address);
    return {
      server,
      worker,
      address,
      client,
      stop() {
        client.close();
        return stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
