import { readFileSync } from 'node:fs';
import { loadAllYaml } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { GatewaySettings } from '../../src/gateway/settings.ts';

const Manifest = z.looseObject({
  kind: z.string(),
  rules: z.array(z.unknown()).default([]),
  subjects: z.array(z.unknown()).default([]),
});

const read = (path: string) =>
  loadAllYaml(readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')).map((object) =>
    Manifest.parse(object),
  );

test.each([
  [['gateway/static.yaml'], 'rbac/static.yaml'],
  [['gateway/static.yaml', 'gateway/static-revocable.yaml'], 'rbac/static-revocable.yaml'],
  [['gateway/dynamic.yaml'], 'rbac/dynamic.yaml'],
])('%s grant the gateway what %s grants Leasehold, and no more', (files, original) => {
  const rulesIn = (paths: string[]) => paths.flatMap(read).flatMap(({ rules }) => rules);
  expect(rulesIn(files)).toEqual(rulesIn([original]));
  for (const { subjects } of files.flatMap(read).filter(({ kind }) => kind.endsWith('Binding'))) {
    expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'leasehold-gateway', namespace: 'leasehold' }]);
  }
});

const Deployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.tuple([z.object({ env: z.array(z.object({ name: z.string(), value: z.string() })) })]),
      }),
    }),
  }),
});

test('the agent starts with the settings of its manifest', () => {
  const deployment = Deployment.parse(read('gateway/agent.yaml').find(({ kind }) => kind === 'Deployment'));
  const [{ env }] = deployment.spec.template.spec.containers;
  const environment = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  expect(z.strictObject(GatewaySettings.shape).parse(environment)).toMatchObject({
    LEASEHOLD_GATEWAY_SERVERS: ['leasehold.example:50052'],
    LEASEHOLD_GATEWAY_IDENTITY: '/identity/identity.json',
  });
});
