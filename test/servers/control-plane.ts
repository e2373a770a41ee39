import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, ensureCachedApiserver, findCachedApiserver } from './cached-apiserver.ts';
import { ensureCommands } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';
import { type ControlPlaneBinaries, type NativeControlPlane, startNativeControlPlane } from './native-control-plane.ts';
import type { Progress } from './progress.ts';
import { dockerAnswers, kubebuilderAssets, requirePackages } from './source.ts';

const MAX_TOKEN_SECONDS = 4 * 60 * 60;

export interface ControlPlane {
  /** https URL on loopback */
  url: string;
  /** PEM bundle that verifies it */
  caPem: string;
  /** bearer token of a cluster admin (system:masters, or bound to cluster-admin) */
  adminToken: string;
  /** longest token that its TokenRequest API gives, in seconds; undefined where the source sets none */
  maxTokenSeconds: number | undefined;
  stop(): Promise<void>;
}

export interface StartOptions {
  progress?: Progress;
}

/**
 * Starts a real Kubernetes API with RBAC on: from KUBEBUILDER_ASSETS, else K3s in Docker, else from Debian packages.
 * Only K3s has controllers: elsewhere no namespace gets a `default` service account, and none is ever fully deleted.
 */
export async function startControlPlane({ progress = ignore }: StartOptions = {}): Promise<ControlPlane> {
  const assets = kubebuilderAssets();
  if (assets !== undefined) {
    progress('starting etcd and kube-apiserver from KUBEBUILDER_ASSETS');
    return startNativeControlPlane(assets, MAX_TOKEN_SECONDS, progress);
  }
  if (await dockerAnswers()) {
    progress('starting K3s in Docker');
    const { startK3sControlPlane } = await import('./k3s-control-plane.ts');
    return startK3sControlPlane(MAX_TOKEN_SECONDS);
  }
  const binaries = await debianBinaries(progress);
  progress(`starting etcd and ${binaries.apiserver}`);
  return startNativeControlPlane(binaries, MAX_TOKEN_SECONDS, progress);
}

/** The same as processes of this machine, never in Docker: for tests that stop and start the API server. */
export async function startRestartableControlPlane({
  progress = ignore,
}: StartOptions = {}): Promise<NativeControlPlane> {
  const binaries = kubebuilderAssets() ?? (await debianBinaries(progress));
  return startNativeControlPlane(binaries, MAX_TOKEN_SECONDS, progress);
}

async function debianBinaries(progress: Progress): Promise<ControlPlaneBinaries> {
  const etcd = findOnPath('etcd');
  const apiserver = await findCachedApiserver();
  if (etcd !== undefined && apiserver !== undefined) {
    return { etcd, apiserver };
  }
  requirePackages('Kubernetes control plane', 'KUBEBUILDER_ASSETS set to a folder with etcd and kube-apiserver');
  await mkdir(cacheFolder(), { recursive: true });
  await ensureCommands({ etcd: 'etcd-server' }, join(cacheFolder(), 'install.log'), progress);
  return { etcd: 'etcd', apiserver: await ensureCachedApiserver(progress) };
}

function ignore(): void {}
