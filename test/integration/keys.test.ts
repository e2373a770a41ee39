import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { knownSecret } from '../evidence/known-secret.ts';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { Admin } from '../support/admin.ts';
import { eventually } from '../support/eventually.ts';
import { issueSteadily } from '../support/issue-steadily.ts';
import { connectTo, type LeaseholdClient, leaseholdEnvironment } from '../support/leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../support/leasehold-process.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type DynamicSetup, setUpDynamic } from '../support/set-ups.ts';

const redisUrl = inject('redisUrl');
const newKey = () => knownSecret(randomBytes(32).toString('base64'));
const [K1, K2, K3] = [newKey(), newKey(), newKey()];

/** Five processes start, and each step waits for all of them. */
const ROTATION_MS = 180_000;

let folder: TempFolder;
let setup: DynamicSetup;
beforeAll(async () => {
  folder = await makeTempFolder('keys');
  const { url, caPem, adminToken } = inject('controlPlane');
  const cluster = { url, caPem };
  setup = await setUpDynamic({ admin: new Admin(cluster, adminToken), cluster }, 'dynamic');
});
afterAll(() => folder.remove());

/** An installation of its own with a keyring file. */
function installation(name: string) {
  const path = join(folder.path, `${name}.yaml`);
  const { LEASEHOLD_SEAL_KEY: _, ...environment } = leaseholdEnvironment(redisUrl, {
    LEASEHOLD_KEYRING: path,
    LEASEHOLD_REWRAP_INTERVAL: '0.5',
  });
  return {
    environment,
    hold(primary: string, keys: Record<string, string>) {
      writeFileSync(path, JSON.stringify({ primary, keys: Object.entries(keys).map(([id, key]) => ({ id, key })) }));
    },
  };
}

type Installation = ReturnType<typeof installation>;

async function startServer({ environment }: Installation) {
  const process = spawnLeasehold('server', environment);
  const { address = '' } = await process.logged('serving');
  const client = connectTo(address);
  return {
    process,
    client,
    async stop() {
      client.close();
      await process.stop();
    },
  };
}

/** Creates a config, and ends. */
async function withConfig(at: Installation): Promise<void> {
  const server = await startServer(at);
  await server.client.configs.createConfig({ config: setup.config });
  await server.stop();
}

/** Returns what its log says of why. */
async function startFails(environment: Record<string, string>, role: 'server' | 'worker' = 'server'): Promise<string> {
  const { exited, logs } = spawnLeasehold(role, environment);
  expect(await exited).toBe(1);
  return JSON.stringify(logs.at(-1)?.['err']).replaceAll('\\', '');
}

test('a key that is missing while accesses are sealed under it ends the start, and is named', async () => {
  const at = installation('missing');
  at.hold('k1', { k1: K1 });
  await withConfig(at);
  at.hold('k2', { k2: K2 });
  const complaint = /LEASEHOLD_KEYRING\) cannot be loaded: key "k1" is missing: the accesses of 1 configs/;
  expect(await startFails(at.environment)).toMatch(complaint);
  expect(await startFails(at.environment, 'worker')).toMatch(complaint);
  at.hold('k2', { k1: K1, k2: K2 });
  const server = await startServer(at);
  await server.client.leases.issueLease({ config: 'dynamic' });
  await server.stop();
});

test('another key under the same id ends the start, and is named', async () => {
  const at = installation('another');
  at.hold('k1', { k1: K1 });
  await withConfig(at);
  at.hold('k1', { k1: K2 });
  expect(await startFails(at.environment)).toMatch(
    /LEASEHOLD_KEYRING\) cannot be loaded: key "k1" is wrong: it is another/,
  );
});

test('another single key ends the start, and is named', async () => {
  const { LEASEHOLD_KEYRING: _, ...single } = installation('single').environment;
  const first = spawnLeasehold('server', { ...single, LEASEHOLD_SEAL_KEY: K1 });
  await first.logged('serving');
  await first.stop();
  expect(await startFails({ ...single, LEASEHOLD_SEAL_KEY: K2 })).toMatch(/LEASEHOLD_SEAL_KEY: key "env" is wrong/);
});

test('the start ends where the keyring is wrong, or both settings are given, and no key is shown', async () => {
  const at = installation('wrong');
  at.hold('k2', { k1: K1 });
  const reason = await startFails(at.environment);
  expect(reason).toContain('"k2"');
  expect(reason).not.toContain(K1.slice(0, 20));
  expect(await startFails({ ...at.environment, LEASEHOLD_SEAL_KEY: K1 })).toContain('not both');
});

test('a single key becomes a keyring as the key env', async () => {
  const at = installation('grown');
  const { LEASEHOLD_KEYRING: _, ...single } = at.environment;
  await withConfig({ ...at, environment: { ...single, LEASEHOLD_SEAL_KEY: K1 } });
  at.hold('k2', { env: K1, k2: K2 });
  const server = await startServer(at);
  await server.client.leases.issueLease({ config: 'dynamic' });
  await server.stop();
});

test(
  'keys are rotated while two servers issue: no call fails, and the old key opens nothing any more',
  async () => {
    const at = installation('rotated');
    at.hold('k1', { k1: K1 });
    await withConfig(at);
    const worker = spawnLeasehold('worker', at.environment);
    const servers = [await startServer(at), await startServer(at)] as const;
    await worker.logged('working');
    const processes = [worker, ...servers.map(({ process }) => process)];
    const traffic = servers.map(({ client }) => issueSteadily(client, { config: 'dynamic' }));
    const newConfigs = createAndCheckSteadily(servers[0].client, servers[1].client);
    const changed = (primary: string, keys: string[]) => eventually(() => allHold(processes, primary, keys));

    at.hold('k1', { k1: K1, k2: K2 });
    await changed('k1', ['k1', 'k2']);
    at.hold('k2', { k1: K1, k2: K2 });
    await changed('k2', ['k1', 'k2']);
    await eventually(async () => {
      const freed = worker.logs.filter(({ msg }) => msg.startsWith('nothing is sealed under these keys any more'));
      expect(freed.map(({ keys }) => keys)).toContainEqual(['k1']);
    });
    at.hold('k2', { k2: K2 });
    await changed('k2', ['k2']);

    const fresh = await startServer(at);
    const before = traffic.map(({ issued }) => issued.length);
    const last = issueSteadily(fresh.client, { config: 'dynamic' });
    await eventually(async () => {
      expect(last.issued.length).toBeGreaterThan(5);
      expect(traffic.every(({ issued }, index) => issued.length > (before[index] ?? 0))).toBe(true);
    });
    for (const { stop } of [...traffic, last, newConfigs]) {
      await stop();
    }
    expect([...traffic, last].flatMap(({ rejections }) => rejections)).toEqual([]);
    await Promise.all([...servers, fresh].map(({ stop }) => stop()));
    await worker.stop();
    at.hold('k1', { k1: K1 });
    expect(await startFails(at.environment)).toMatch(/key "k2" is missing/);
  },
  ROTATION_MS,
);

test('a keyring that drops a key that is needed, or is wrong, is not taken, and shouts', async () => {
  const at = installation('kept');
  at.hold('k1', { k1: K1 });
  await withConfig(at);
  const { process, client, stop } = await startServer(at);
  const shouts = () => process.logs.filter(({ level }) => level === 50).map(({ err }) => JSON.stringify(err));

  at.hold('k3', { k3: K3 });
  await eventually(async () => expect(shouts().join()).toMatch(/key ..k1.. is missing/));
  at.hold('k9', { k1: K1 });
  await eventually(async () => expect(shouts().join()).toMatch(/no key ..k9../));
  expect(shouts()).toHaveLength(2);
  await client.leases.issueLease({ config: 'dynamic' });
  expect(await rejectionOf(client.configs.createConfig({ config: setup.config }))).toMatchObject({
    reason: 'CONFIG_NAME_TAKEN',
  });
  at.hold('k3', { k1: K1, k3: K3 });
  await eventually(() => allHold([process], 'k3', ['k1', 'k3']));
  await stop();
});

/** New configs at one server, each looked at by the other, which has to open what the one has sealed. */
function createAndCheckSteadily(one: LeaseholdClient, other: LeaseholdClient) {
  let goesOn = true;
  const work = (async () => {
    for (let count = 0; goesOn; count++) {
      const name = `new-${count}`;
      await one.configs.createConfig({ config: { ...setup.config, name } });
      await other.configs.checkConfig({ target: { $case: 'name', value: name } });
    }
  })();
  return {
    stop() {
      goesOn = false;
      return work;
    },
  };
}

async function allHold(processes: readonly LeaseholdProcess[], primary: string, keys: string[]): Promise<void> {
  for (const { logs } of processes) {
    const last = logs.findLast(({ msg, what }) => msg === 'reloaded' && String(what).includes('keyring'));
    expect(last).toMatchObject({ primary, keys });
  }
}
