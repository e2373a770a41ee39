import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseCallersFile, ROLES } from '../../src/server/authentication/callers-file.ts';
import { readPolicyFiles, SHIPPED_POLICIES } from '../../src/shared/authorization/policy-files.ts';

const ISSUER = { issuer: 'https://issuer.example', audiences: ['leasehold'], jwks: { discovery: true } };
const CLUSTER = { name: 'prod', issuer: 'https://k8s.example', audiences: ['leasehold'], jwks: { file: 'prod.json' } };
const KEY = { name: 'bootstrap', sha256: 'a'.repeat(64), groups: ['admins'] };
const REVIEW = { url: 'https://k8s.example:6443', tokenFile: 'token' };

test('the file of the documentation is taken', () => {
  const file = parseCallersFile(`
certificates: { trustDomains: [example.org], subjects: true }
jwt:
  - { issuer: https://issuer.example, audiences: [leasehold], jwks: {file: /etc/leasehold/jwks.json}, algorithms: [ES256], groupsClaim: groups, groupsPrefix: "corp-" }
clusters:
  - { name: prod, issuer: https://kubernetes.default.svc, audiences: [leasehold], tokenReview: {url: "https://10.0.0.1:6443", caFile: ca.crt, tokenFile: token} }
apiKeys:
  - { name: bootstrap, sha256: ${'a1'.repeat(32)}, groups: [admins], expires: 2027-01-01T00:00:00Z }
groups:
  admins: ["spiffe://example.org/ops/*", "jwt:https://issuer.example#alice"]
  auditors: []
`);
  expect(file.apiKeys).toEqual([
    { name: 'bootstrap', sha256: 'a1'.repeat(32), groups: ['admins'], expires: '2027-01-01T00:00:00Z' },
  ]);
  expect(file.groups).toEqual({
    admins: ['spiffe://example.org/ops/*', 'jwt:https://issuer.example#alice'],
    auditors: [],
  });
});

test('an empty file knows nobody, and certificates count only where it says so', () => {
  expect(parseCallersFile('')).toEqual({
    certificates: { trustDomains: [], subjects: false },
    jwt: [],
    clusters: [],
    apiKeys: [],
    groups: {},
  });
});

test('neither none nor HMAC can be allowed, and what is not named is asymmetric', () => {
  for (const algorithm of ['none', 'HS256', 'HS512']) {
    expect(() => parseCallersFile(stringify({ jwt: [{ ...ISSUER, algorithms: [algorithm] }] }))).toThrow('algorithms');
  }
  const { jwt } = parseCallersFile(stringify({ jwt: [ISSUER] }));
  expect(jwt[0]?.algorithms).toEqual(['RS256', 'ES256', 'PS256', 'EdDSA']);
});

test.each<[string, object, RegExp]>([
  ['a misspelt word', { apikeys: [] }, /apikeys/],
  ['an issuer in the clear', { jwt: [{ ...ISSUER, issuer: 'http://issuer.example' }] }, /https URL/],
  ['an issuer with a #', { jwt: [{ ...ISSUER, issuer: 'https://issuer.example#a' }] }, /without #/],
  ['an issuer with too long a name', { jwt: [{ ...ISSUER, issuer: `https://${'a'.repeat(1024)}` }] }, /at most 1024/],
  ['an issuer twice', { jwt: [ISSUER, ISSUER] }, /is listed twice/],
  ['an issuer without audiences', { jwt: [{ ...ISSUER, audiences: [] }] }, /audiences/],
  ['keys in the clear', { jwt: [{ ...ISSUER, jwks: { url: 'http://issuer.example/keys' } }] }, /jwks/],
  [
    'keys at a URL that hides another',
    { jwt: [{ ...ISSUER, jwks: { url: 'https://issuer.example/a/../keys' } }] },
    /url must not contain \. or \.\..*\n.*jwt\[0\]\.jwks/,
  ],
  [
    'a reviewer with a query',
    { clusters: [{ ...CLUSTER, jwks: undefined, tokenReview: { ...REVIEW, url: 'https://k8s.example/k8s?a' } }] },
    /no query.*\n.*clusters\[0\]\.tokenReview\.url/,
  ],
  ['discovery below a query', { jwt: [{ ...ISSUER, issuer: 'https://issuer.example/?a' }] }, /for discovery/],
  ['groups of an issuer without a prefix', { jwt: [{ ...ISSUER, groupsClaim: 'groups' }] }, /goes with groupsClaim/],
  [
    'groups of an issuer with an empty prefix',
    { jwt: [{ ...ISSUER, groupsClaim: 'groups', groupsPrefix: '' }] },
    /groupsPrefix/,
  ],
  [
    'a local group that an issuer could put its callers into',
    { jwt: [{ ...ISSUER, groupsClaim: 'groups', groupsPrefix: 'adm' }], groups: { admins: [] } },
    /begins with adm/,
  ],
  [
    'the prefix of an issuer that could put its callers into a group of the shipped policies',
    { jwt: [{ ...ISSUER, groupsClaim: 'groups', groupsPrefix: 'audit' }] },
    /group auditors begins with audit/,
  ],
  [
    'a prefix that begins with that of another issuer',
    {
      jwt: [
        { ...ISSUER, groupsClaim: 'groups', groupsPrefix: 'corp-' },
        { ...ISSUER, issuer: 'https://other.example', groupsClaim: 'groups', groupsPrefix: 'corp-ops-' },
      ],
    },
    /begins with corp-, that of another issuer/,
  ],
  [
    'a group of an API key that an issuer could put its callers into',
    { jwt: [{ ...ISSUER, groupsClaim: 'groups', groupsPrefix: 'adm' }], apiKeys: [KEY] },
    /begins with adm/,
  ],
  ['a cluster twice', { clusters: [CLUSTER, CLUSTER] }, /prod is listed twice/],
  [
    'a cluster with the issuer of jwt',
    { jwt: [ISSUER], clusters: [{ ...CLUSTER, issuer: ISSUER.issuer }] },
    /of jwt, too/,
  ],
  ['a cluster that is asked in no way', { clusters: [{ ...CLUSTER, jwks: undefined }] }, /jwks, tokenReview, or both/],
  [
    'a cluster that would be sent the tokens of another',
    { clusters: [CLUSTER, { ...CLUSTER, name: 'b', jwks: undefined, tokenReview: REVIEW }] },
    /share an issuer/,
  ],
  ['an API key with an underscore in its name', { apiKeys: [{ ...KEY, name: 'a_b' }] }, /DNS label/],
  ['an API key in place of its hash', { apiKeys: [{ ...KEY, sha256: 'leasehold_a_b' }] }, /sha256/],
  ['an end without a zone', { apiKeys: [{ ...KEY, expires: '2027-01-01' }] }, /expires/],
  ['a group of everybody', { groups: { admins: ['*'] } }, /must begin with spiffe/],
  ['a * in a trust domain', { groups: { ops: ['spiffe://example.org*'] } }, /after the whole trust domain/],
  ['a * in an issuer', { groups: { ops: ['jwt:https://issuer.example/a*'] } }, /after the whole trust domain/],
  ['a * in a cluster', { groups: { ops: ['serviceaccount:prod*'] } }, /after the whole trust domain/],
  ['a * in the middle', { groups: { admins: ['jwt:https://*#alice'] } }, /no \* but at its end/],
])('%s is refused, and the error says where', (_name, callers, problem) => {
  expect(() => parseCallersFile(stringify(callers))).toThrow(problem);
});

test('a * stands for what comes after a trust domain, an issuer or a cluster, or for all of a kind', () => {
  const members = ['spiffe://a.b/*', 'jwt:https://a.b/c#*', 'serviceaccount:prod/ci/*', 'x509:CN=ops-*', 'apikey:ci-*'];
  const kinds = ['spiffe://*', 'jwt:*', 'serviceaccount:*', 'x509:*', 'apikey:*'];
  expect(parseCallersFile(stringify({ groups: { ops: [...members, ...kinds] } })).groups).toEqual({
    ops: [...members, ...kinds],
  });
});

test('the groups of the shipped policies are kept from issuers', async () => {
  const policies = await readPolicyFiles(SHIPPED_POLICIES);
  const named = policies.flatMap(({ text }) => [...text.matchAll(/Group::"([^"]+)"/g)].map(([, name]) => name));
  expect(named.sort()).toEqual(ROLES.toSorted());
});

test('a cluster may have its keys and be asked, also one of several with one issuer: its signature comes first', () => {
  const both = { ...CLUSTER, tokenReview: REVIEW };
  const { clusters } = parseCallersFile(stringify({ clusters: [CLUSTER, { ...both, name: 'other' }] }));
  expect(clusters[1]).toMatchObject({ jwks: { file: 'prod.json' }, tokenReview: REVIEW });
});

test('URLs are canonical, but an issuer is what its tokens say', () => {
  const jwks = { url: 'https://Issuer.example:443/keys?p=a' };
  const issuer = 'https://Issuer.example:443/';
  const tokenReview = { ...REVIEW, url: 'https://K8s.example/k8s/clusters/c-1/' };
  const file = { jwt: [{ ...ISSUER, issuer, jwks }], clusters: [{ ...CLUSTER, jwks: undefined, tokenReview }] };
  const { jwt, clusters } = parseCallersFile(stringify(file));
  expect(jwt[0]).toMatchObject({ issuer, jwks: { url: 'https://issuer.example/keys?p=a' } });
  expect(clusters[0]?.tokenReview?.url).toBe('https://k8s.example/k8s/clusters/c-1');
});

test('what is no YAML is refused', () => {
  expect(() => parseCallersFile('jwt: [')).toThrow();
});
