import type { TestProject } from 'vitest/node';
import { keepEvidenceIn } from '../evidence/evidence-folder.ts';
import { knownSecret } from '../evidence/known-secret.ts';
import { keepDump, requireNoSecrets } from '../evidence/require-no-secrets.ts';
import { type ControlPlane, startControlPlane } from '../servers/control-plane.ts';
import { prepareNetworkNamespaces } from '../servers/network-namespace.ts';
import { startRedisServer } from '../servers/redis-server.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import type { TransportName } from './transports/transports.ts';

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: Omit<ControlPlane, 'stop'>;
    redisUrl: string;
    transport: TransportName;
    /** For each target of the fuzz test. */
    fuzzMessages: number;
  }
}

/**
 * One control plane and one Redis for all tests that need them, of all projects of a run: the first to come starts them.
 * Each test file is an installation of its own on them. At the end, what Redis, logs and spans of the whole run hold is
 * searched for secrets.
 */
export default async function setup({ vitest }: TestProject): Promise<() => Promise<void>> {
  const run = vitest.getRootProject();
  if (run.getProvidedContext().controlPlane !== undefined) {
    return async () => undefined;
  }
  const progress = (line: string) => console.error(line);
  const evidence = await makeTempFolder('evidence');
  keepEvidenceIn(evidence.path);
  const controlPlane = await startControlPlane({ progress });
  const redis = await startRedisServer({ progress });
  await prepareNetworkNamespaces(progress);
  const { url, caPem, adminToken, maxTokenSeconds } = controlPlane;
  knownSecret(adminToken);
  run.provide('controlPlane', { url, caPem, adminToken, maxTokenSeconds });
  run.provide('redisUrl', redis.url);
  return async () => {
    const keys = await keepDump(redis.url);
    await redis.stop();
    await controlPlane.stop();
    try {
      await requireNoSecrets(evidence.path, keys, progress);
    } finally {
      await evidence.remove();
    }
  };
}
