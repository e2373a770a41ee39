import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiserverCredentials } from './apiserver-credentials.ts';
import { freePort, retryWhilePortTaken } from './free-port.ts';
import { httpsStatus } from './https-status.ts';
import { type ManagedProcess, startServer } from './managed-process.ts';

const READY_WITHIN_MS = 120_000;

export interface Apiserver extends ManagedProcess {
  readonly url: string;
  readonly caPem: string;
  readonly adminToken: string;
}

export interface ApiserverSpec {
  binary: string;
  folder: string;
  etcdUrl: string;
  maxTokenSeconds: number;
  credentials: ApiserverCredentials;
}

/** Starts a kube-apiserver with RBAC on, and waits until it reports itself ready. */
export async function startKubeApiserver(spec: ApiserverSpec): Promise<Apiserver> {
  return retryWhilePortTaken(async () => startKubeApiserverAt(await freePort(), spec));
}

/** The same on a port that was chosen before: in the folder of an earlier one, it takes over from that. */
export async function startKubeApiserverAt(port: number, spec: ApiserverSpec): Promise<Apiserver> {
  const certFolder = join(spec.folder, 'tls');
  // The serving certificate that it signs itself is followed, in this file, by the CA that it made for that.
  const readCa = () => readFile(join(certFolder, 'apiserver.crt'), 'utf8');
  const { adminToken } = spec.credentials;
  const url = `https://127.0.0.1:${port}`;
  const server = await startServer({
    name: 'kube-apiserver',
    command: spec.binary,
    args: apiserverArgs(spec, port, certFolder),
    logFile: join(spec.folder, 'kube-apiserver.log'),
    readyWithinMs: READY_WITHIN_MS,
    isReady: async () => (await httpsStatus(`${url}/readyz`, await readCa(), adminToken)) === 200,
  });
  return { ...server, url, caPem: await readCa(), adminToken };
}

function apiserverArgs(spec: ApiserverSpec, port: number, certFolder: string): string[] {
  const { credentials } = spec;
  return [
    `--etcd-servers=${spec.etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    // A loopback address may not be an endpoint, so don't have it tried (and complained about) over and over.
    '--endpoint-reconciler-type=none',
    `--secure-port=${port}`,
    `--cert-dir=${certFolder}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${credentials.signingKeyFile}`,
    `--service-account-key-file=${credentials.publicKeyFile}`,
    `--service-account-max-token-expiration=${spec.maxTokenSeconds}s`,
    `--token-auth-file=${credentials.tokenAuthFile}`,
    '--anonymous-auth=false',
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.0.0.0/24',
  ];
}
