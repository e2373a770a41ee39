import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { eventually } from '../support/eventually.ts';
import { connectTo, type LeaseholdClient } from '../support/leasehold.ts';
import { apiKeyEntry, callersYaml } from '../support/security.ts';
import { seconds, setUpDynamic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// Callers of one cluster, on a real API server.

const AUDITOR_KEY = makeApiKey('auditor');
const CHECKS_AT_ONCE = 250;
const LEASES = 12;
const EXPIRING_SECONDS = 20;

/** The auditor hangs up: its checks need not come to their end. */
const leaving = new AbortController();

let folder: TempFolder;
let world: World;
let auditor: LeaseholdClient;
beforeAll(async () => {
  folder = await makeTempFolder('tenants');
  const callers = join(folder.path, 'callers.yaml');
  await writeFile(callers, callersYaml({}, [apiKeyEntry(AUDITOR_KEY, 'auditor', ['auditors'])]), { mode: 0o600 });
  world = await openWorld({ LEASEHOLD_CALLERS: callers, LEASEHOLD_DRAIN_TIMEOUT: '1' });
  auditor = connectTo(world.address, { bearer: AUDITOR_KEY.reveal() });
  const { config: wide } = await setUpDynamic(world, 'wide', { namespaces: 64 });
  await world.configs.createConfig({ config: wide });
  const { config: victim } = await setUpDynamic(world, 'victim');
  await world.configs.createConfig({ config: victim });
});
afterAll(async () => {
  auditor.close();
  await world.stop();
  await folder.remove();
});

test("an auditor's checks of a wide config keep no lease of another from being issued, revoked or expiring", async () => {
  let over = 0;
  const checks = Array.from({ length: CHECKS_AT_ONCE }, () =>
    auditor.configs
      .checkConfig({ target: { $case: 'name', value: 'wide' } }, { signal: leaving.signal })
      .catch(() => undefined)
      .finally(() => (over += 1)),
  );
  await eventually(async () => expect(over).toBeGreaterThan(0));

  const { lease: expiring } = await world.leases.issueLease({ config: 'victim', ttl: seconds(EXPIRING_SECONDS) });
  for (let i = 0; i < LEASES; i++) {
    const { lease } = await world.leases.issueLease({ config: 'victim' });
    const revoked = await world.leases.revokeLease({ id: lease?.id ?? '' });
    expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
  }
  await eventually(async () => {
    expect(await world.leases.getLease({ id: expiring?.id ?? '' })).toMatchObject({
      state: LeaseState.LEASE_STATE_EXPIRED,
    });
  });
  leaving.abort();
  await Promise.all(checks);
});
