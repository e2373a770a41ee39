import { expect, inject, test } from 'vitest';
import { leaseholdEnvironment } from '../../support/leasehold.ts';
import { spawnLeasehold } from '../../support/leasehold-process.ts';

// What a process needs at its start, and is not there, is named by the setting that leads to it.

test.concurrent.each([
  ['server', 'LEASEHOLD_CALLERS'],
  ['server', 'LEASEHOLD_TLS_CERT'],
  ['server', 'LEASEHOLD_TLS_KEY'],
  ['server', 'LEASEHOLD_CLIENT_CA'],
  ['server', 'LEASEHOLD_POLICIES'],
  ['worker', 'LEASEHOLD_KEYRING'],
  ['worker', 'LEASEHOLD_RELAY_CA'],
] as const)('the %s ends where %s leads nowhere, and says so', { timeout: 120_000 }, async (role, setting) => {
  const environment = leaseholdEnvironment(inject('redisUrl'), { [setting]: '/nowhere/at-all' });
  if (setting === 'LEASEHOLD_KEYRING') {
    delete environment['LEASEHOLD_SEAL_KEY'];
  }
  const process = spawnLeasehold(role, environment);
  expect(await process.exited).toBe(1);
  const message = (process.logs.at(-1)?.['err'] as { message?: string } | undefined)?.message;
  expect(message).toContain(setting);
  expect(message).toContain('/nowhere/at-all');
});
