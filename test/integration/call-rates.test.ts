import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { connectTo, type Leasehold, type LeaseholdClient, startLeasehold } from '../support/leasehold.ts';
import { type Rejection, rejectionOf } from '../support/rejection.ts';
import { refusal, type ScriptedCluster, startScriptedCluster } from '../support/scripted-cluster.ts';
import { apiKeyEntry, callersYaml } from '../support/security.ts';
import { directAccess, viewConfig } from '../support/set-ups.ts';

// What one caller may make Leasehold ask of clusters: at two servers together.

/** Questions in a second, of which 1,000 may come at once. */
const QUESTIONS = 10;

/** Trials in a minute. */
const TRIALS = 4;

/** At most, of a config with one namespace. */
const CALLS_OF_A_TRIAL = 20;

/** The most that a config may have. */
const NAMESPACES = Array.from({ length: 64 }, (_, index) => `team-${index}`);

const folder = await makeTempFolder('call-rates');
const keys = { auditor: makeApiKey('auditor'), other: makeApiKey('other'), scanner: makeApiKey('scanner') };
let leasehold: Leasehold;
let second: RunningServer;
let clusterOfAll: ScriptedCluster;
const clients = {} as Record<keyof typeof keys, readonly [LeaseholdClient, LeaseholdClient]>;
beforeAll(async () => {
  const entries = Object.entries(keys).map(([name, key]) => apiKeyEntry(key, name, ['admins']));
  writeFileSync(join(folder.path, 'callers.yaml'), callersYaml({}, entries));
  leasehold = await startLeasehold(inject('redisUrl'), {
    LEASEHOLD_CALLERS: join(folder.path, 'callers.yaml'),
    LEASEHOLD_QUESTION_RATE: String(QUESTIONS),
    LEASEHOLD_TRIAL_RATE: String(TRIALS),
  });
  second = await startServer(leasehold.settings, createLogger('second', 'silent'));
  clusterOfAll = await startScriptedCluster();
  for (const name of ['auditor', 'other', 'scanner'] as const) {
    const bearer = keys[name].reveal();
    clients[name] = [connectTo(leasehold.address, { bearer }), connectTo(second.address, { bearer })];
  }
});
afterAll(async () => {
  for (const client of Object.values(clients).flat()) {
    client.close();
  }
  clusterOfAll.stop();
  await second.stop();
  await leasehold.stop();
  await folder.remove();
});
beforeEach(() => {
  clusterOfAll.play(() => undefined);
  clusterOfAll.calls.length = 0;
});

const configOf = (name: string, allowedNamespaces: string[], token = 'a-token') =>
  viewConfig(name, directAccess(clusterOfAll, token), allowedNamespaces);

/** What became of so many calls at once, by turns at one server and the other. */
async function atBoth(
  [one, other]: readonly [LeaseholdClient, LeaseholdClient],
  count: number,
  call: (client: LeaseholdClient, index: number) => Promise<unknown>,
): Promise<(Rejection | undefined)[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => {
      const calling = call(index % 2 === 0 ? one : other, index);
      return calling.then(
        () => undefined,
        () => rejectionOf(calling),
      );
    }),
  );
}

test('250 checks of the largest config ask its cluster what one may ask, and no other caller waits', async () => {
  await leasehold.configs.createConfig({ config: configOf('large', NAMESPACES) });
  clusterOfAll.calls.length = 0;
  const started = performance.now();
  const target = { $case: 'name', value: 'large' } as const;
  const outcomes = await atBoth(clients.auditor, 250, ({ configs }) => configs.checkConfig({ target }));

  const refused = outcomes.filter((outcome) => outcome !== undefined);
  expect(refused.length).toBeLessThan(250);
  for (const outcome of refused) {
    expect(outcome).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      reason: 'QUESTION_RATE_EXCEEDED',
      quotas: ['principal:apikey:auditor'],
      retry: true,
    });
  }
  const most = 1_000 + (QUESTIONS * (performance.now() - started)) / 1000;
  expect(clusterOfAll.calls.length).toBeLessThanOrEqual(most);
  expect(await atBoth(clients.other, 1, ({ configs }) => configs.checkConfig({ target }))).toEqual([undefined]);
});

describe('a caller that has used up its trials', () => {
  const newToken = (index: number) => configOf('scanned', ['team'], `token-${index}`);
  const calls: Record<string, (client: LeaseholdClient, index: number) => Promise<unknown>> = {
    'creates no config': ({ configs }, index) => configs.createConfig({ config: configOf(`new-${index}`, ['team']) }),
    'checks no draft': ({ configs }, index) =>
      configs.checkConfig({ target: { $case: 'config', value: configOf(`draft-${index}`, ['team']) } }),
    'gives no config another token': ({ configs }, index) =>
      configs.updateConfig({ config: newToken(index), updateMask: ['direct.token'] }),
    'gives no config other namespaces': ({ configs }, index) =>
      configs.updateConfig({
        config: configOf('scanned', ['team', `other-${index}`]),
        updateMask: ['dynamic'],
      }),
  };

  beforeAll(async () => {
    await leasehold.configs.createConfig({ config: configOf('scanned', ['team']) });
    // As a scan of ports does: what is called does not answer like an API server.
    clusterOfAll.play(() => refusal(404, 'NotFound', 'no such page'));
    const outcomes = await atBoth(clients.scanner, 3 * TRIALS, ({ configs }, index) =>
      configs.createConfig({ config: configOf(`scan-${index}`, ['team']) }),
    );
    const reasons = outcomes.map((outcome) => outcome?.reason);
    expect(reasons).not.toContain(undefined);
    // In case the machine takes long, one more comes back in 15 s.
    expect(reasons.filter((reason) => reason === 'TRIAL_RATE_EXCEEDED').length).toBeGreaterThan(TRIALS);
  });

  test.each(Object.entries(calls))('%s, and no cluster is called for it', async (_what, call) => {
    const outcomes = await atBoth(clients.scanner, 3 * TRIALS, call);
    const refused = outcomes.filter((outcome) => outcome?.reason === 'TRIAL_RATE_EXCEEDED');
    expect(refused.length).toBeGreaterThan(TRIALS);
    expect(clusterOfAll.calls.length).toBeLessThanOrEqual((outcomes.length - refused.length) * CALLS_OF_A_TRIAL);
    expect(refused[0]).toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      quotas: ['principal:apikey:scanner'],
      retry: true,
    });
  });

  test('reads, changes labels, and checks what is stored', async () => {
    const [{ configs }] = clients.scanner;
    await configs.updateConfig({ config: { name: 'scanned', labels: { a: 'b' } }, updateMask: ['labels'] });
    await configs.checkConfig({ target: { $case: 'name', value: 'scanned' } });
    expect((await configs.getConfig({ name: 'scanned' })).labels).toEqual({ a: 'b' });
  });
});
