import { schemaToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { expect, test } from 'vitest';
import { ConfigServiceDefinition } from '../../src/gen/leasehold/v1/config_service.ts';
import { GatewayServiceDefinition } from '../../src/gen/leasehold/v1/gateway_service.ts';
import { LeaseServiceDefinition } from '../../src/gen/leasehold/v1/lease_service.ts';
import { CedarAuthorizer } from '../../src/shared/authorization/cedar-authorizer.ts';
import { SCHEMA } from '../../src/shared/authorization/policy-set.ts';
import { principalName } from '../../src/shared/domain/principal.ts';
import { ACTIONS, type Question } from '../../src/shared/ports/authorizer.ts';

const RPCS = [ConfigServiceDefinition, LeaseServiceDefinition, GatewayServiceDefinition].flatMap((service) =>
  Object.values(service.methods).map(({ name }) => name),
);

/** Decides by this text, and fails the test where it cannot. */
function authorizerOf(text: string, problems: string[] = []): CedarAuthorizer {
  return new CedarAuthorizer([{ name: 'p.cedar', text }], (problem) => problems.push(problem));
}

const alice = { kind: 'jwt', id: 'alice', issuer: 'https://issuer.example', groups: ['ops'] } as const;
const origin = { sourceIp: '10.0.0.7', transport: 'tls' } as const;

/** Whether alice may get the config `c`, with what is given put in place. */
function getConfig({
  name = 'c',
  labels = {},
  ...given
}: Partial<Question> & { name?: string; labels?: object } = {}): Question {
  const config = { name, labels: { ...labels } };
  return {
    principal: alice,
    action: 'GetConfig',
    resource: { kind: 'config', config },
    conditions: {},
    origin,
    ...given,
  };
}

function getLease(owner: string, principal: Question['principal'] = alice): Question {
  const lease = { id: 'l', principal: owner, namespace: 'n' };
  return getConfig({
    principal,
    action: 'GetLease',
    resource: { kind: 'lease', lease, config: { name: 'c', labels: {} } },
  });
}

test('there is an action for each RPC, and no other', () => {
  expect([...ACTIONS].sort()).toEqual(RPCS.sort());
});

test.each(ACTIONS)('policies can speak of %s', (action) => {
  expect(authorizerOf(`permit (principal, action == Leasehold::Action::"${action}", resource);`).warnings).toEqual([]);
});

test('the schema has no action that is none of ours', () => {
  const schema = schemaToJson(SCHEMA);
  const actions = schema.type === 'success' ? schema.json['Leasehold']?.actions : undefined;
  expect(Object.keys(actions ?? {}).sort()).toEqual([...ACTIONS].sort());
});

test('nobody may do anything that no policy permits', () => {
  expect(
    authorizerOf('permit (principal, action == Leasehold::Action::"GetGateway", resource);').allows(getConfig()),
  ).toBe(false);
});

test('a forbid counts more than a permit', () => {
  const text =
    'permit (principal, action, resource); forbid (principal, action, resource) when { context.transport != "mtls" };';
  expect(authorizerOf(text).allows(getConfig())).toBe(false);
  expect(authorizerOf(text).allows(getConfig({ origin: { ...origin, transport: 'mtls' } }))).toBe(true);
});

test('a caller is in its groups', () => {
  const authorizer = authorizerOf('permit (principal in Leasehold::Group::"ops", action, resource);');
  expect(authorizer.allows(getConfig())).toBe(true);
  expect(authorizer.allows(getConfig({ principal: { ...alice, groups: ['dev', 'op', 'Ops'] } }))).toBe(false);
});

test.each(['team', 'leasehold.dev/issuers', 'a.b-c/D_e.f-9', 'uid', '__entity', 'constructor'])(
  'the label %s is a tag',
  (key) => {
    const text = `permit (principal, action, resource is Leasehold::Config) when { resource.hasTag("${key}") && resource.getTag("${key}") == "v" };`;
    const authorizer = authorizerOf(text);
    expect(authorizer.allows(getConfig({ labels: { [key]: 'v' } }))).toBe(true);
    expect(authorizer.allows(getConfig({ labels: { [key]: 'w' } }))).toBe(false);
    expect(authorizer.allows(getConfig({ labels: { other: 'v' } }))).toBe(false);
  },
);

test.each([
  ['10.1.2.3', true],
  ['::ffff:10.1.2.3', true],
  ['::FFFF:10.1.2.3', true],
  ['11.1.2.3', false],
  ['fd00::1', false],
])('the source address %s is in 10.0.0.0/8: %s', (sourceIp, allowed) => {
  const text =
    'permit (principal, action, resource) when { context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/8")) };';
  expect(authorizerOf(text).allows(getConfig({ origin: { ...origin, sourceIp } }))).toBe(allowed);
});

test('an address that is none denies, and is told of', () => {
  const problems: string[] = [];
  const authorizer = authorizerOf('permit (principal, action, resource);', problems);
  expect(authorizer.allows(getConfig({ origin: { ...origin, sourceIp: 'fe80::1%eth0' } }))).toBe(false);
  expect(problems).toEqual([expect.stringContaining('fe80::1%eth0')]);
});

test('a policy that fails denies, also where another permits, and is told of once', () => {
  const problems: string[] = [];
  const text = [
    'permit (principal, action, resource);',
    'forbid (principal, action == Leasehold::Action::"IssueLease", resource)',
    'when { context.ttl_seconds + 9223372036854775807 > 0 };',
  ].join('\n');
  const authorizer = authorizerOf(text, problems);
  const question = getConfig({ action: 'IssueLease', conditions: { ttlSeconds: 1, clusterWide: false } });
  expect([authorizer.allows(question), authorizer.allows(question)]).toEqual([false, false]);
  expect(problems).toEqual([expect.stringMatching(/^p\.cedar:2:1: .*overflow/)]);
  expect(authorizer.allows(getConfig())).toBe(true);
});

test('a policy that reads attributes of an owner who does not call denies', () => {
  const problems: string[] = [];
  const text =
    'permit (principal, action == Leasehold::Action::"GetLease", resource) when { resource.owner.kind == "jwt" };';
  expect(authorizerOf(text, problems).allows(getLease('apikey:ci'))).toBe(false);
  expect(problems).toHaveLength(1);
});

test('a question that does not hold to the schema denies', () => {
  const authorizer = authorizerOf('permit (principal, action, resource);');
  expect(authorizer.decide(getConfig({ action: 'IssueLease' }))).toMatchObject({
    allowed: false,
    problems: [expect.any(String)],
  });
  expect(authorizer.decide(getConfig({ conditions: { force: true } }))).toMatchObject({ allowed: false });
});

const HOSTILE = [
  'alice" || true || "',
  '"; permit (principal, action, resource); //',
  'x::Leasehold::Group::"admins"',
  'Leasehold::Caller::"admin"',
  '\\"',
  '\\u{61}dmins',
  '*',
  '\u0000admin',
  'аdmin',
  '{"__entity":{"type":"Leasehold::Group","id":"admins"}}',
  '\u202enimda',
];

test.each(HOSTILE)('a name is only a name: %j', (text) => {
  const authorizer = authorizerOf('permit (principal in Leasehold::Group::"admins", action, resource);');
  const principal = { ...alice, id: text, issuer: text, groups: [text] };
  expect(authorizer.decide(getConfig({ principal, name: text, labels: { [text]: text } }))).toEqual({
    allowed: false,
    policies: [],
    problems: [],
  });
});

test.each(HOSTILE)('%j owns what it asked for, and nothing else', (id) => {
  const authorizer = authorizerOf(
    'permit (principal, action, resource is Leasehold::Lease) when { resource.owner == principal };',
  );
  const principal = { ...alice, id };
  expect(authorizer.allows(getLease(principalName(principal), principal))).toBe(true);
  expect(authorizer.allows(getLease(principalName(alice), principal))).toBe(false);
  expect(authorizer.allows(getLease(principalName(principal), alice))).toBe(false);
});

test('names that Cedar could not tell from each other stand for nobody', () => {
  const problems: string[] = [];
  const authorizer = authorizerOf(
    'permit (principal, action, resource is Leasehold::Lease) when { resource.owner == principal };',
    problems,
  );
  const principal = { ...alice, id: '\ud800' };
  expect(authorizer.allows(getLease(principalName({ ...alice, id: '\udbff' }), principal))).toBe(false);
  expect(authorizer.allows(getLease(principalName(principal), principal))).toBe(false);
  expect(authorizer.allows(getConfig({ principal: { ...alice, groups: ['\ud800'] } }))).toBe(false);
  expect(problems).toEqual([expect.stringContaining('no Unicode text')]);
});

test('the same letters written otherwise are another name', () => {
  const authorizer = authorizerOf(
    'permit (principal, action, resource is Leasehold::Lease) when { resource.owner == principal };',
  );
  const composed = { ...alice, id: 'é' };
  expect(authorizer.allows(getLease(principalName({ ...alice, id: 'e\u0301' }), composed))).toBe(false);
});
