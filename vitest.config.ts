import { defineConfig } from 'vitest/config';
import { TEST_TIMEOUT_MS } from './test/support/patience.ts';

/** What a lease is to its caller, whichever way Leasehold reaches the cluster. */
const LEASE_TESTS = [
  'batch',
  'check-config',
  'documented-rbac',
  'ending',
  'leases',
  'real-clusters/deleted-namespaces',
  'renewal',
  'revocable',
  'stalled',
  'sweep',
].map((name) => `test/integration/${name}.test.ts`);

/** Only where the cluster is private. */
const PRIVATE_TESTS = ['test/integration/private-cluster.test.ts'];

/** No test depends on the machine's speed: `npm run test:slow`. */
const patient = { testTimeout: TEST_TIMEOUT_MS, hookTimeout: TEST_TIMEOUT_MS };

const onControlPlane = {
  ...patient,
  globalSetup: ['test/support/global-setup.ts'],
  setupFiles: ['test/evidence/keep-spans.ts'],
  // Two cores: the API server needs one of them.
  maxWorkers: 2,
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...patient, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { test: { ...patient, name: 'model', include: ['test/model/**/*.test.ts'] } },
      {
        test: {
          ...onControlPlane,
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/commands/**/*.test.ts', 'test/fuzz/**/*.test.ts'],
          exclude: PRIVATE_TESTS,
          provide: { transport: 'direct', fuzzMessages: 300 },
        },
      },
      {
        test: {
          ...onControlPlane,
          name: 'gateway-auth',
          include: [...LEASE_TESTS, ...PRIVATE_TESTS],
          provide: { transport: 'gateway' },
        },
      },
      {
        test: {
          ...onControlPlane,
          name: 'gateway-path',
          include: [...LEASE_TESTS, ...PRIVATE_TESTS],
          provide: { transport: 'path' },
        },
      },
      {
        test: {
          ...onControlPlane,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          // Each is a journey for every fault point, all of them at once.
          testTimeout: 3_600_000,
          provide: { transport: 'direct' },
        },
      },
      {
        test: {
          ...onControlPlane,
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          provide: { transport: 'direct', fuzzMessages: 100_000 },
        },
      },
    ],
  },
});
