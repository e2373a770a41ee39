import { writeApiserverCredentials } from './apiserver-credentials.ts';
import type { ControlPlane } from './control-plane.ts';
import { startEtcd } from './etcd.ts';
import { startKubeApiserver, startKubeApiserverAt } from './kube-apiserver.ts';
import type { Progress } from './progress.ts';
import { makeTempFolder } from './temp-folder.ts';

export interface ControlPlaneBinaries {
  etcd: string;
  apiserver: string;
}

/** A control plane whose API server can be away for a time. */
export interface NativeControlPlane extends ControlPlane {
  /** Ends kube-apiserver alone; etcd keeps the objects. */
  stopApiserver(): Promise<void>;
  /** Starts it again at the same address, with the same keys. */
  startApiserver(): Promise<void>;
}

/** Starts etcd and kube-apiserver as processes of this machine, with all their files in one temp folder. */
export async function startNativeControlPlane(
  binaries: ControlPlaneBinaries,
  maxTokenSeconds: number,
  progress: Progress,
): Promise<NativeControlPlane> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('control-plane');
  started.defer(() => folder.remove());
  const etcd = await startEtcd(binaries.etcd, folder.path);
  started.defer(() => etcd.stop());
  const credentials = await writeApiserverCredentials(folder.path);
  const spec = { binary: binaries.apiserver, folder: folder.path, etcdUrl: etcd.url, maxTokenSeconds, credentials };
  let apiserver = await startKubeApiserver(spec);
  started.defer(() => apiserver.stop());
  progress(`kube-apiserver serves at ${apiserver.url} (process ${apiserver.pid})`);
  const { url, caPem, adminToken } = apiserver;
  const running = started.move();
  return {
    url,
    caPem,
    adminToken,
    maxTokenSeconds,
    stopApiserver: () => apiserver.stop(),
    async startApiserver() {
      apiserver = await startKubeApiserverAt(Number(new URL(url).port), spec);
    },
    stop: () => running.disposeAsync(),
  };
}
