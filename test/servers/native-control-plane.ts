import type { ControlPlane } from './control-plane.ts';
import { startEtcd } from './etcd.ts';
import { startKubeApiserver } from './kube-apiserver.ts';
import type { Progress } from './progress.ts';
import { makeTempFolder } from './temp-folder.ts';

export interface ControlPlaneBinaries {
  etcd: string;
  apiserver: string;
}

/** Starts etcd and kube-apiserver as processes of this machine, with all their files in one temp folder. */
export async function startNativeControlPlane(
  binaries: ControlPlaneBinaries,
  maxTokenSeconds: number,
  progress: Progress,
): Promise<ControlPlane> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('control-plane');
  started.defer(() => folder.remove());
  const etcd = await startEtcd(binaries.etcd, folder.path);
  started.defer(() => etcd.stop());
  const spec = { binary: binaries.apiserver, folder: folder.path, etcdUrl: etcd.url, maxTokenSeconds };
  const apiserver = await startKubeApiserver(spec);
  started.defer(() => apiserver.stop());
  progress(`kube-apiserver serves at ${apiserver.url} (process ${apiserver.pid})`);
  const { url, caPem, adminToken } = apiserver;
  const running = started.move();
  return { url, caPem, adminToken, maxTokenSeconds, stop: () => running.disposeAsync() };
}
