import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { allowedTargets, GatewaySettings, readGatewaySettings } from '../../src/gateway/settings.ts';

const SERVERS = { LEASEHOLD_GATEWAY_SERVERS: 'relay.example:50052' };

test('a server is all that must be said', () => {
  expect(readGatewaySettings(SERVERS)).toMatchObject({
    LEASEHOLD_GATEWAY_SERVERS: ['relay.example:50052'],
    LEASEHOLD_GATEWAY_IDENTITY: 'identity.json',
    LEASEHOLD_GATEWAY_API_SERVER: 'https://kubernetes.default.svc',
    LEASEHOLD_GATEWAY_TOKEN_FILE: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    LEASEHOLD_GATEWAY_CA_FILE: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
  });
});

test('several servers are tried in turn', () => {
  const settings = readGatewaySettings({ LEASEHOLD_GATEWAY_SERVERS: 'a.example:1, 10.0.0.1:2,[fd00::1]:3' });
  expect(settings.LEASEHOLD_GATEWAY_SERVERS).toEqual(['a.example:1', '10.0.0.1:2', '[fd00::1]:3']);
});

test.each([
  ['LEASEHOLD_GATEWAY_SERVERS', undefined],
  ['LEASEHOLD_GATEWAY_SERVERS', ''],
  ['LEASEHOLD_GATEWAY_SERVERS', 'relay.example'],
  ['LEASEHOLD_GATEWAY_SERVERS', 'https://relay.example:443'],
  ['LEASEHOLD_GATEWAY_API_SERVER', 'http://kubernetes.default.svc'],
  ['LEASEHOLD_GATEWAY_TARGETS', 'kubernetes.default.svc'],
])('%s=%s is refused by its name', (name, value) => {
  expect(() => readGatewaySettings({ ...SERVERS, [name]: value })).toThrow(`${name}`);
});

test.each([
  ['the API server of pods', {}, ['kubernetes.default.svc:443']],
  [
    'and its address',
    { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' },
    ['kubernetes.default.svc:443', '10.96.0.1:443'],
  ],
  [
    'an address of IPv6',
    { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' },
    ['kubernetes.default.svc:443', '[fd00::1]:6443'],
  ],
  ['another API server', { LEASEHOLD_GATEWAY_API_SERVER: 'https://API.example:6443/base' }, ['api.example:6443']],
  ['none', { LEASEHOLD_GATEWAY_TARGETS: '' }, []],
  ['what is said', { LEASEHOLD_GATEWAY_TARGETS: 'A.example:1,b.example:2' }, ['a.example:1', 'b.example:2']],
])('targets: %s', (_what, environment, expected) => {
  expect([...allowedTargets(readGatewaySettings({ ...SERVERS, ...environment }))]).toEqual(expected);
});

const readme = readFileSync(new URL('../../deploy/gateway/README.md', import.meta.url), 'utf8');

test.each(Object.entries(GatewaySettings.shape).filter(([name]) => name.startsWith('LEASEHOLD_')))(
  'the README of deploy/gateway lists %s as it is',
  (name, field) => {
    const { default: fallback } = z.toJSONSchema(field, { io: 'input' });
    expect(readme).toContain(
      `| \`${name}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${field.description} |`,
    );
  },
);
