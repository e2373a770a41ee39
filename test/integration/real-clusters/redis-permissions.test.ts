import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { COMMANDS } from '../../../src/shared/redis/check-permissions.ts';
import type { NativeRedis } from '../../servers/native-redis.ts';
import { startRestartableRedis } from '../../servers/redis-server.ts';
import { Admin } from '../../support/admin.ts';
import { eventually } from '../../support/eventually.ts';
import { type LeaseholdClient, leaseholdEnvironment } from '../../support/leasehold.ts';
import { type LeaseholdProcess, spawnLeasehold } from '../../support/leasehold-process.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { startServerAndWorker } from '../../support/server-and-worker.ts';
import { seconds, setUpDynamic, setUpStatic } from '../../support/set-ups.ts';

// The rule of docs/redis.md for ACL SETUSER: enough for everything, and each of its parts is needed.

const docs = readFileSync(new URL('../../../docs/redis.md', import.meta.url), 'utf8');
const PASSWORD = 'only-for-this-test';

/** Lines of a process, warnings and worse, while a permission is missing for some seconds. */
const FEW_LINES = 25;
const MISSING_FOR_MS = 10_000;

/** As the page has it, for another user, password and installation. */
function ruleFor(user: string, installation: string): string[] {
  const [, rule = ''] = /^ACL SETUSER leasehold (.+)$/m.exec(docs) ?? [];
  return [user, ...rule.replace('PASSWORD', PASSWORD).replace('default', installation).split(' ')];
}

let redis: NativeRedis;
let users = 0;
beforeAll(async () => {
  redis = await startRestartableRedis();
  // Without it servers warn.
  await command('CONFIG', 'SET', 'maxmemory', '1gb');
});
afterAll(() => redis?.stop());

async function command(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('redis-cli', ['-p', new URL(redis.url).port, ...args]);
  expect(stdout).not.toMatch(/^ERR/);
  return stdout;
}

/** A user of exactly those permissions, and the environment of an installation that connects as it. */
async function userWithRule(change: (rule: string[]) => string[] = (rule) => rule) {
  const user = `user${users++}`;
  const environment = leaseholdEnvironment(redis.url.replace('//', `//${user}:${PASSWORD}@`), {
    LEASEHOLD_SWEEP_INTERVAL: '1',
    LEASEHOLD_READ_BACK_INTERVAL: '1',
    LEASEHOLD_REWRAP_INTERVAL: '1',
  });
  await command('ACL', 'SETUSER', ...change(ruleFor(user, environment['LEASEHOLD_INSTALLATION'] ?? '')));
  return { user, environment };
}

const stateOf = async ({ leases }: LeaseholdClient, id = '') => (await leases.getLease({ id })).state;

function isPast(time: number): Promise<void> {
  return eventually(async () => expect(Date.now()).toBeGreaterThanOrEqual(time));
}

const textOf = ({ logs }: LeaseholdProcess) => JSON.stringify(logs);
const trouble = ({ logs }: LeaseholdProcess) => logs.filter(({ level }) => Number(level) >= 40);

test('the page names the commands that are asked for at the start', () => {
  expect(ruleFor('user', 'default').filter((word) => word.startsWith('+'))).toEqual(
    COMMANDS.map((command) => `+${command}`),
  );
});

test('it has every command of our own scripts', () => {
  const scripts = globSync(new URL('../../../src/shared/redis/scripts/*.lua', import.meta.url).pathname);
  const given = scripts.flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/redis\.call\(\s*'(\w+)'/g)]);
  expect(given.length).toBeGreaterThan(50);
  const commands = new Set(given.map(([, command = '']) => command.toLowerCase()));
  expect([...commands].filter((command) => !COMMANDS.includes(command))).toEqual([]);
});

test('with exactly that rule everything works', { timeout: 120_000 }, async () => {
  const { url, caPem, adminToken } = inject('controlPlane');
  const world = { cluster: { url, caPem }, admin: new Admin({ url, caPem }, adminToken) };
  const { user, environment } = await userWithRule();
  const { client, server, worker, stop } = await startServerAndWorker(environment);
  try {
    const { config } = await setUpDynamic(world, 'dynamic');
    await client.configs.createConfig({ config });
    await client.configs.createConfig({ config: (await setUpStatic(world, 'static', { revocable: true })).config });
    await client.configs.updateConfig({ config: { ...config, labels: { a: 'b' } }, updateMask: ['labels'] });
    const requestId = crypto.randomUUID();
    const { lease } = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(3), requestId });
    await client.leases.issueLease({ config: 'dynamic', ttl: seconds(3), requestId });
    await client.leases.renewLease({ id: lease?.id ?? '', ttl: seconds(5) });
    const revoked = await client.leases.issueLease({ config: 'static' });
    await client.leases.revokeLease({ id: revoked.lease?.id ?? '' });
    const batched = await client.leases.issueLease({ config: 'dynamic' });
    for await (const _news of client.leases.batchRevokeLeases({ target: { $case: 'config', value: 'dynamic' } })) {
      // To the end.
    }
    const expired = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(1) });
    await client.leases.listLeases({});
    await client.gateways.listGateways({});
    for (const [id, state] of [
      [revoked.lease?.id, LeaseState.LEASE_STATE_REVOKED],
      [batched.lease?.id, LeaseState.LEASE_STATE_REVOKED],
      [expired.lease?.id, LeaseState.LEASE_STATE_EXPIRED],
    ] as const) {
      await eventually(async () => expect(await stateOf(client, id)).toBe(state));
    }
    await client.configs.deleteConfig({ name: 'dynamic' });
    for (const process of [server, worker]) {
      expect(textOf(process)).not.toContain('NOPERM');
      expect(trouble(process).filter(({ msg }) => msg.includes('Redis'))).toEqual([]);
    }
    const refused = await command('ACL', 'LOG');
    const commands = refused.split('\n').filter((_, index, lines) => lines[index - 1] === 'object');
    const ofUser = refused.includes(user) ? commands : [];
    expect(ofUser.filter((name) => !/^client\|set|^hello/.test(name))).toEqual([]);
  } finally {
    await stop();
  }
});

test.each([
  ['a command of scripts', '+xadd'],
  ['the command that workers wait with', '+bzpopmin'],
  ['the command that keeps records', '+hset'],
  ['scripts', '+eval'],
  ['INFO', '+info'],
  ['the keys', '~{leasehold'],
])('without %s (%s) a process ends, and says what is missing', async (_, part) => {
  const { environment } = await userWithRule((rule) =>
    rule.filter((word) => !word.startsWith(part) || word === '+evalsha'),
  );
  const worker = spawnLeasehold('worker', environment);
  expect(await worker.exited).toBe(1);
  expect(textOf(worker)).toContain('LEASEHOLD_REDIS_URL');
  expect(textOf(worker)).toContain('docs/redis.md');
  expect(textOf(worker)).not.toContain('LEASEHOLD_SEAL_KEY');
  expect(textOf(worker)).not.toContain(PASSWORD);
});

test.each([
  [
    'a command is taken away',
    (user: string) => ['ACL', 'SETUSER', user, '-evalsha', '-eval', '-bzpopmin'],
    '+evalsha +eval +bzpopmin',
  ],
  [
    'a command inside of scripts is taken away',
    (user: string) => ['ACL', 'SETUSER', user, '-rpoplpush', '-hset'],
    '+rpoplpush +hset',
  ],
  [
    'its password is another',
    (user: string) => ['ACL', 'SETUSER', user, 'resetpass', '>other'],
    `resetpass >${PASSWORD}`,
  ],
  ['it is off', (user: string) => ['ACL', 'SETUSER', user, 'off'], 'on'],
])(
  'a user that changes while processes run: %s; little is logged, and all goes on when it is right again',
  { timeout: 120_000 },
  async (_, taken, given) => {
    const { url, caPem, adminToken } = inject('controlPlane');
    const world = { cluster: { url, caPem }, admin: new Admin({ url, caPem }, adminToken) };
    const { user, environment } = await userWithRule();
    const { client, server, worker, stop } = await startServerAndWorker(environment);
    try {
      const { config } = await setUpDynamic(world, 'dynamic');
      await client.configs.createConfig({ config });
      const { lease } = await client.leases.issueLease({ config: 'dynamic', ttl: seconds(4) });

      await command(...taken(user));
      await command('CLIENT', 'KILL', 'USER', user);
      const until = Date.now() + MISSING_FOR_MS;
      await rejectionOf(client.leases.issueLease({ config: 'dynamic' }));
      await isPast(until);
      for (const process of [server, worker]) {
        expect(trouble(process).length, textOf(process)).toBeLessThan(FEW_LINES);
      }

      await command('ACL', 'SETUSER', user, ...given.split(' '));
      await eventually(async () => expect(await stateOf(client, lease?.id)).toBe(LeaseState.LEASE_STATE_EXPIRED));
    } finally {
      await stop();
    }
  },
);
