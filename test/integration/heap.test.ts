import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { makeTempFolder, type TempFolder } from '../servers/temp-folder.ts';
import { Admin } from '../support/admin.ts';
import { connectTo, leaseholdEnvironment } from '../support/leasehold.ts';
import { spawnLeasehold } from '../support/leasehold-process.ts';
import { setUpDynamic, setUpStatic } from '../support/set-ups.ts';

const ENTRY = new URL('../support/dumping-server.ts', import.meta.url);

/** Of a V8 heap snapshot: every string of the heap, sources of modules and names among them. */
const Snapshot = z.object({ strings: z.array(z.string()) });

const key = randomBytes(32);

/** As a string could hold it. */
const FORMS_OF_KEY = {
  base64: key.toString('base64').slice(0, -1),
  base64url: key.toString('base64url'),
  hex: key.toString('hex'),
  latin1: key.toString('latin1'),
};

let folder: TempFolder;
beforeAll(async () => {
  folder = await makeTempFolder('heap');
});
afterAll(() => folder.remove());

async function heapAfterTraffic(environment: Record<string, string>) {
  const { url, caPem, adminToken } = inject('controlPlane');
  const cluster = { url, caPem };
  const place = { admin: new Admin(cluster, adminToken), cluster };
  const setUps = [await setUpDynamic(place, 'dynamic'), await setUpStatic(place, 'static')];
  const path = join(folder.path, randomUUID());
  const server = spawnLeasehold('server', { ...environment, HEAP_SNAPSHOT: path }, { entry: ENTRY });
  const { address = '' } = await server.logged('serving');
  const client = connectTo(address);
  const leaseTokens: string[] = [];
  for (const { config } of setUps) {
    await client.configs.createConfig({ config });
    for (let count = 0; count < 20; count++) {
      const { credential } = await client.leases.issueLease({ config: config.name });
      leaseTokens.push(credential?.token ?? '');
    }
    await client.configs.listConfigs({});
  }
  server.kill('SIGUSR2');
  await server.logged('heap snapshot written');
  const { strings } = Snapshot.parse(JSON.parse(readFileSync(path, 'utf8')));
  client.close();
  await server.stop();
  return { strings, clusterTokens: setUps.map(({ requester }) => requester.token), leaseTokens };
}

test('a heap dump of a server shows neither the key of its keyring nor tokens', async () => {
  const keyring = join(folder.path, 'keyring.yaml');
  writeFileSync(keyring, `primary: k1\nkeys: [{id: k1, key: "${key.toString('base64')}"}]\n`);
  const { LEASEHOLD_SEAL_KEY: _, ...environment } = leaseholdEnvironment(inject('redisUrl'), {
    LEASEHOLD_KEYRING: keyring,
  });
  const { strings, clusterTokens, leaseTokens } = await heapAfterTraffic(environment);
  const shows = (secret: string) => strings.filter((text) => text.includes(secret)).map((text) => text.slice(0, 200));

  expect(shows('leasehold/access/v1')).not.toEqual([]);
  for (const [form, text] of Object.entries(FORMS_OF_KEY)) {
    expect(shows(text), `the key in ${form}`).toEqual([]);
  }
  for (const [kind, tokens] of Object.entries({ clusterTokens, leaseTokens })) {
    const signatures = tokens.map((token) => token.split('.')[2] ?? '');
    expect(signatures.every((signature) => signature.length > 40)).toBe(true);
    expect(signatures.flatMap(shows), kind).toEqual([]);
  }
});

test('nor does it where the key comes from the environment', async () => {
  const environment = leaseholdEnvironment(inject('redisUrl'), { LEASEHOLD_SEAL_KEY: key.toString('base64') });
  const { strings } = await heapAfterTraffic(environment);
  for (const [form, text] of Object.entries(FORMS_OF_KEY)) {
    const found = strings.filter((string) => string.includes(text)).map((string) => string.slice(0, 200));
    expect(found, `the key in ${form}`).toEqual([]);
  }
});
