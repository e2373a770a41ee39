import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type RedisAddress, RedisUrl } from '../../src/shared/redis/redis-url.ts';

/** The address with its secrets laid open. */
function parsed(url: string): unknown {
  const address = RedisUrl.parse(url);
  const open = ({ username, password }: Pick<RedisAddress, 'username' | 'password'>) =>
    [username, password?.reveal()].filter((part) => part !== undefined).join(':');
  const { username: _, password: __, ...rest } = address;
  return {
    ...rest,
    login: open(address),
    ...(address.kind === 'sentinel' ? { sentinelLogin: open(address.sentinelLogin) } : {}),
  };
}

function complaint(url: string): string {
  return (
    RedisUrl.safeParse(url)
      .error?.issues.map(({ message }) => message)
      .join('\n') ?? 'none'
  );
}

describe('a server', () => {
  const local = { kind: 'standalone', tls: false, database: 0, login: '', node: { host: '127.0.0.1', port: 6379 } };

  test.each([
    ['redis://127.0.0.1', local],
    ['redis://127.0.0.1:6379/', local],
    ['rediss://127.0.0.1', { ...local, tls: true }],
    ['redis://127.0.0.1/3', { ...local, database: 3 }],
    ['redis://ann:s%40crt@redis.example:1', { ...local, login: 'ann:s@crt', node: { host: 'redis.example', port: 1 } }],
    ['redis://:a@b:c@127.0.0.1', { ...local, login: 'a@b:c' }],
    ['redis://[::1]:7000', { ...local, node: { host: '::1', port: 7000 } }],
  ])('%s', (url, expected) => {
    expect(parsed(url)).toEqual(expected);
  });
});

test('a Sentinel set: several hosts, the name of the master, logins for both', () => {
  expect(
    parsed('rediss+sentinel://ann:secret@one,two:5000/main?database=2&sentinel_username=bob&sentinel_password=%26'),
  ).toEqual({
    kind: 'sentinel',
    tls: true,
    sentinels: [
      { host: 'one', port: 26379 },
      { host: 'two', port: 5000 },
    ],
    master: 'main',
    database: 2,
    login: 'ann:secret',
    sentinelLogin: 'bob:&',
  });
});

test('a Cluster: some of its nodes', () => {
  expect(parsed('redis+cluster://:secret@one:7000,two')).toEqual({
    kind: 'cluster',
    tls: false,
    nodes: [
      { host: 'one', port: 7000 },
      { host: 'two', port: 6379 },
    ],
    login: 'secret',
  });
});

test.each([
  ['http://127.0.0.1', 'must be redis://'],
  ['redis+ring://127.0.0.1', 'must be redis://'],
  ['redis://', 'has a host that is none'],
  ['redis://one two', 'has a host that is none'],
  ['redis://one:70000', 'has a port that is none: 70000'],
  ['redis://one,two', 'several hosts need redis+sentinel:// or redis+cluster://'],
  ['redis://one/main', 'has a database that is no number'],
  ['redis://ann@one', 'has a user without a password'],
  ['redis://:%zz@one', 'has a % that begins no escape'],
  ['redis://one?family=6', 'has an unknown option'],
  ['redis+sentinel://one,two', 'must name the master'],
  ['redis+sentinel://one,,two/main', 'has a host that is none'],
  ['redis+sentinel://one/main?database=x', 'has a database that is no number'],
  ['redis+cluster://one/1', 'a Redis Cluster has no databases'],
])('%s is refused: %s', (url, expected) => {
  expect(complaint(url)).toContain(expected);
});

test('no complaint and no print shows a password', () => {
  expect(complaint('redis://ann:hunter2@one,two')).not.toContain('hunter2');
  expect(complaint('redis://ann:hunter2/more@one')).not.toContain('hunter2');
  expect(complaint('redis://:hunter2?more@one')).not.toContain('hunter2');
  expect(complaint('gopher://ann:hunter2@one')).not.toContain('hunter2');
  expect(inspect(RedisUrl.parse('redis://ann:hunter2@one'))).not.toContain('hunter2');
});
