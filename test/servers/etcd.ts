import { join } from 'node:path';
import { freePort, retryWhilePortTaken } from './free-port.ts';
import { type ManagedProcess, startServer } from './managed-process.ts';

const READY_WITHIN_MS = 120_000;

export interface Etcd extends ManagedProcess {
  readonly url: string;
}

/** Starts a single etcd that keeps its data in the folder, and forgets fsync: they need not survive a power cut. */
export function startEtcd(binary: string, folder: string): Promise<Etcd> {
  return retryWhilePortTaken(async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const peerUrl = `http://127.0.0.1:${await freePort()}`;
    const etcd = await startServer({
      name: 'etcd',
      command: binary,
      args: [
        '--name=leasehold',
        `--data-dir=${join(folder, 'etcd')}`,
        '--unsafe-no-fsync',
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=leasehold=${peerUrl}`,
        '--logger=zap',
        '--log-level=error',
      ],
      logFile: join(folder, 'etcd.log'),
      readyWithinMs: READY_WITHIN_MS,
      isReady: () => isHealthy(url),
    });
    return { ...etcd, url };
  });
}

async function isHealthy(url: string): Promise<boolean> {
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}
