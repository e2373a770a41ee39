import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { canInstallPackages } from './debian-packages.ts';
import { isExecutableFile } from './find-on-path.ts';
import type { ControlPlaneBinaries } from './native-control-plane.ts';

const DOCKER_ANSWERS_WITHIN_MS = 20_000;
const runCaptured = promisify(execFile);

/** The binaries that KUBEBUILDER_ASSETS names; it is an error to set it to a folder that lacks them. */
export function kubebuilderAssets(): ControlPlaneBinaries | undefined {
  const folder = process.env['KUBEBUILDER_ASSETS'];
  if (folder === undefined || folder === '') {
    return undefined;
  }
  const binaries = { etcd: join(folder, 'etcd'), apiserver: join(folder, 'kube-apiserver') };
  const missing = Object.values(binaries).filter((path) => !isExecutableFile(path));
  if (missing.length > 0) {
    throw new Error(`KUBEBUILDER_ASSETS is set, but these are no executable files: ${missing.join(', ')}`);
  }
  return binaries;
}

/** Whether a Docker daemon answers this user. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await runCaptured('docker', ['info'], { timeout: DOCKER_ANSWERS_WITHIN_MS, killSignal: 'SIGKILL' });
    return true;
  } catch {
    return false;
  }
}

/** Throws an error that names the three ways, where what is missing can't be installed from Debian packages. */
export function requirePackages(what: string, firstWay: string): void {
  if (!canInstallPackages()) {
    throw new Error(
      `No ${what} can be started here. One of these three is needed: ${firstWay}; ` +
        'or a Docker daemon that answers "docker info"; ' +
        'or Debian with apt-get, as root, to install and build what is missing.',
    );
  }
}
