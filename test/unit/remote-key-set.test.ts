import { expect, test } from 'vitest';
import { JsonWebTokens } from '../../src/server/authentication/json-web-tokens.ts';
import { RemoteKeySet } from '../../src/server/authentication/remote-key-set.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTokenIssuer } from '../support/token-issuer.ts';

const ISSUER = 'https://issuer.test';
const [old, renewed] = [makeTokenIssuer(ISSUER), makeTokenIssuer(ISSUER)];

/** The keys of an issuer that publishes what the test says, and a virtual clock. */
function publish(published: unknown) {
  const world = { published, now: 0, fetches: 0 };
  const keys = new RemoteKeySet(
    ISSUER,
    async () => {
      world.fetches++;
      if (world.published instanceof Error) {
        throw world.published;
      }
      return world.published;
    },
    createLogger('test', 'silent'),
    () => world.now,
  );
  keys.close();
  const tokens = new JsonWebTokens([
    { issuer: ISSUER, audiences: ['leasehold'], algorithms: ['ES256'], keys, groups: undefined },
  ]);
  const authenticate = async (issuer: typeof old) =>
    tokens.authenticate({ bearer: new Secret(await issuer.token()), now: Date.now() });
  return { world, keys, authenticate };
}

const away = new Error('connect ECONNREFUSED');
const both = { keys: [...old.jwks.keys, ...renewed.jwks.keys] };

test('a key that the issuer adds counts as soon as a token names it', async () => {
  const { world, keys, authenticate } = publish(old.jwks);
  await keys.fetch();
  world.published = both;
  world.now += 5_000;
  expect(await authenticate(renewed)).toMatchObject({ id: 'alice' });
  expect(await authenticate(old)).toMatchObject({ id: 'alice' });
  expect(world.fetches).toBe(2);
});

test('a key that it takes away does not count from the next fetch on', async () => {
  const { world, keys, authenticate } = publish(both);
  await keys.fetch();
  world.published = renewed.jwks;
  await keys.fetch();
  await expect(authenticate(old)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
});

test('tokens that name unknown keys do not have the issuer asked more than once in five seconds', async () => {
  const { world, keys, authenticate } = publish(old.jwks);
  await keys.fetch();
  for (let tries = 0; tries < 20; tries++) {
    world.now += 1_000;
    await expect(authenticate(renewed)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  }
  expect(world.fetches).toBe(1 + 4);
});

test('while the issuer is away its keys count, for an hour', async () => {
  const { world, keys, authenticate } = publish(old.jwks);
  await keys.fetch();
  world.published = away;
  world.now += 3_599_000;
  expect(await authenticate(old)).toMatchObject({ id: 'alice' });
  await expect(authenticate(renewed)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  world.now += 2_000;
  await expect(authenticate(old)).rejects.toMatchObject({ name: 'Unavailable', reason: 'ISSUER_UNREACHABLE' });
});

test.each([
  ['is away', away],
  ['answers nonsense', { keys: 'none' }],
])('where the issuer %s from the start, its callers hear so, and it is asked again', async (_name, published) => {
  const { world, keys, authenticate } = publish(published);
  await keys.fetch();
  await expect(authenticate(old)).rejects.toMatchObject({ name: 'Unavailable', reason: 'ISSUER_UNREACHABLE' });
  world.published = old.jwks;
  world.now += 5_000;
  expect(await authenticate(old)).toMatchObject({ id: 'alice' });
});
