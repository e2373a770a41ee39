import type { TestProject } from 'vitest/node';
import { type ControlPlane, startControlPlane } from '../servers/control-plane.ts';
import { startRedisServer } from '../servers/redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: Omit<ControlPlane, 'stop'>;
    redisUrl: string;
  }
}

/** One control plane and one Redis for all integration tests; each test file is an installation of its own on them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const progress = (line: string) => console.error(line);
  const controlPlane = await startControlPlane({ progress });
  const redis = await startRedisServer({ progress });
  const { url, caPem, adminToken, maxTokenSeconds } = controlPlane;
  project.provide('controlPlane', { url, caPem, adminToken, maxTokenSeconds });
  project.provide('redisUrl', redis.url);
  return async () => {
    await redis.stop();
    await controlPlane.stop();
  };
}
