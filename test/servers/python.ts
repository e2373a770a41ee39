import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cached-apiserver.ts';
import { canInstallPackages, installPackages } from './debian-packages.ts';
import { lockFile } from './file-lock.ts';
import { findOnPath } from './find-on-path.ts';
import type { Progress } from './progress.ts';

const run = promisify(execFile);

/** Debian's own, to which its packages belong: another may come first on PATH. */
const SYSTEM_PYTHON = '/usr/bin/python3';

const PACKAGES = ['python3-grpcio', 'python3-protobuf'];

/** A Python that has `grpc` and `google.protobuf`: the system's or the one on PATH, else from Debian's packages. */
export async function ensurePythonWithGrpc(progress: Progress): Promise<string> {
  const found = await findPythonWithGrpc();
  if (found !== undefined) {
    return found;
  }
  if (!canInstallPackages()) {
    throw new Error(
      "Python's gRPC is not here, with which a client of another language is tested. One of these two is needed: a " +
        'python3 on PATH that imports grpc and google.protobuf (pip install grpcio protobuf); or Debian with apt-get, ' +
        'as root, to install it.',
    );
  }
  await mkdir(cacheFolder(), { recursive: true });
  // Test files that run side by side may both come here.
  await using _ = await lockFile(join(cacheFolder(), 'python.lock'));
  if (!(await hasGrpc(SYSTEM_PYTHON))) {
    await installPackages(PACKAGES, join(cacheFolder(), 'install.log'), progress);
  }
  return SYSTEM_PYTHON;
}

async function findPythonWithGrpc(): Promise<string | undefined> {
  for (const python of [SYSTEM_PYTHON, findOnPath('python3')]) {
    if (python !== undefined && (await hasGrpc(python))) {
      return python;
    }
  }
  return undefined;
}

async function hasGrpc(python: string): Promise<boolean> {
  return run(python, ['-c', 'import grpc, google.protobuf']).then(
    () => true,
    // No such Python, or one without them.
    () => false,
  );
}
