import { readFileSync } from 'node:fs';
import { loadAllYaml } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readSettings, Settings } from '../../src/shared/settings.ts';

const Variable = z.object({ name: z.string(), value: z.string().optional() });

const Deployment = z.object({
  kind: z.literal('Deployment'),
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.tuple([z.object({ env: z.array(Variable) })]) }) }),
  }),
});

const text = readFileSync(new URL('../../deploy/kubernetes/leasehold.yaml', import.meta.url), 'utf8');
const [server, worker] = loadAllYaml(text)
  .filter(({ kind }) => kind === 'Deployment')
  .map((object) => environmentOf(Deployment.parse(object)));

/** What is no value there comes from a Secret: the URL of Redis. */
function environmentOf({ spec }: z.infer<typeof Deployment>): Record<string, string> {
  const [{ env }] = spec.template.spec.containers;
  return Object.fromEntries(env.map(({ name, value = 'rediss://redis.example:6379' }) => [name, value]));
}

test('the manifests have settings that server and worker take, and only such as there are', () => {
  const names = Object.keys(Settings.shape);
  for (const environment of [server, worker]) {
    expect(names).toEqual(expect.arrayContaining(Object.keys(environment ?? {})));
    expect(readSettings(environment ?? {})).toMatchObject({ LEASEHOLD_KEYRING: '/etc/leasehold/keyring/keyring.yaml' });
  }
});

test('the server is served with TLS, and knows its callers', () => {
  expect(readSettings(server ?? {})).toMatchObject({
    LEASEHOLD_PLAINTEXT: 'refuse',
    LEASEHOLD_TLS_CERT: expect.any(String),
    LEASEHOLD_TLS_KEY: expect.any(String),
    LEASEHOLD_CALLERS: expect.any(String),
  });
});

test('the worker is given neither certificate nor callers', () => {
  expect(Object.keys(worker ?? {})).toEqual(['LEASEHOLD_REDIS_URL', 'LEASEHOLD_KEYRING']);
});

test('what the one is shown to set of the networks that may be called, the other is, too', () => {
  expect(text.match(/name: LEASEHOLD_ALLOWED_NETWORKS/g)).toHaveLength(2);
});
