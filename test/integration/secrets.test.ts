import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAnsweringServer } from '../support/answering-server.ts';
import { dumpRedis } from '../support/dump-redis.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { recordSpans, type SpanRecorder } from '../support/record-spans.ts';
import { rejectionOf } from '../support/rejection.ts';
import { directAccess, setUpDynamic, setUpStatic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// No token of a lease or of a cluster stands in Redis, logs, spans or errors.

let spans: SpanRecorder;
let world: World;
beforeAll(async () => {
  spans = recordSpans();
  world = await openWorld({ LEASEHOLD_LOG_LEVEL: 'trace' });
});
afterAll(async () => {
  await world.stop();
  await spans.stop();
});

test('tokens are nowhere but with their callers', async () => {
  const tokens: string[] = [];
  const errors: unknown[] = [];
  for (const setup of [await setUpStatic(world, 'static'), await setUpDynamic(world, 'dynamic')]) {
    tokens.push(setup.requester.token);
    await world.configs.createConfig({ config: setup.config });
    await world.configs.checkConfig({ target: { $case: 'name', value: setup.config.name } });
    const request = { config: setup.config.name, requestId: randomUUID() };
    const { lease, credential } = await world.leases.issueLease(request);
    const again = await world.leases.issueLease(request);
    tokens.push(credential?.token ?? '', again.credential?.token ?? '');
    await world.leases.revokeLease({ id: lease?.id ?? '' });
  }
  const { lease, credential } = await issueBriefly(world, 'dynamic');
  tokens.push(credential?.token ?? '');
  await eventually(async () => expect((await world.leases.getLease({ id: lease?.id ?? '' })).endTime).toBeDefined());

  const wrong = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.d3Jvbmctc2lnbmF0dXJl';
  const opaque = 'an-opaque-wrong-cluster-token-'.repeat(5);
  tokens.push(wrong, opaque);
  const { config } = await setUpStatic(world, 'wrong');
  for (const token of [wrong, opaque]) {
    errors.push(
      await rejectionOf(
        world.configs.createConfig({ config: { ...config, access: directAccess(world.cluster, token) } }),
      ),
    );
    errors.push(
      await rejectionOf(
        world.configs.createConfig({
          config: { ...config, access: directAccess({ ...world.cluster, url: 'https://127.0.0.1:1' }, token) },
        }),
      ),
    );
  }

  const echo = await startAnsweringServer((request, response) => {
    const message = `no: ${request.headers.authorization} ${'x'.repeat(900)} ${request.headers.authorization}`;
    response.writeHead(400).end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', code: 400, message }));
  });
  for (const token of [wrong, opaque]) {
    const access = directAccess(echo, token);
    errors.push(await rejectionOf(world.configs.createConfig({ config: { ...config, access } })));
  }
  echo.stop();

  const places = {
    redis: await dumpRedis(world.redisUrl),
    logs: world.logs.join('\n'),
    spans: JSON.stringify(
      spans
        .finished()
        .map(({ name, attributes, events, links, status }) => ({ name, attributes, events, links, status })),
    ),
    errors: JSON.stringify(errors),
  };
  expect(places.redis).toContain('wrappedKey');
  expect(places.logs).toContain('lease issued');
  expect(places.spans).toContain('kubernetes create serviceaccounts/token');
  expect(places.errors).toContain('CLUSTER_UNAUTHENTICATED');
  expect(places.errors).toContain('Bearer [redacted]');
  for (const [place, text] of Object.entries(places)) {
    for (const token of tokens) {
      expect(token.length, 'a token to look for').toBeGreaterThan(10);
      // The signature alone would do as well as the whole; and base64 hides nothing.
      const forms = [token, token.split('.')[2] ?? token, Buffer.from(token).toString('base64').slice(0, -4)];
      expect(
        forms.filter((form) => text.includes(form)),
        place,
      ).toEqual([]);
    }
  }
});
