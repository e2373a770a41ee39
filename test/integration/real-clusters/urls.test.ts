import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { Status } from 'nice-grpc';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { InClusterToken } from '../../../src/gateway/in-cluster-token.ts';
import { OwnApiServer } from '../../../src/gateway/own-api-server.ts';
import { readGatewaySettings } from '../../../src/gateway/settings.ts';
import { LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { Callers } from '../../../src/server/authentication/callers.ts';
import { Secret } from '../../../src/shared/domain/secret.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import { makeTempFolder, type TempFolder } from '../../servers/temp-folder.ts';
import type { ClusterAddress } from '../../support/admin.ts';
import { testEgress } from '../../support/egress.ts';
import { type PrefixProxy, startPrefixProxy } from '../../support/prefix-proxy.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { createDynamicRequester } from '../../support/seed-rbac.ts';
import { directAccess, type StaticSetup, setUpDynamic, setUpStatic } from '../../support/set-ups.ts';
import { storeAccess } from '../../support/store-access.ts';
import { makeTokenIssuer } from '../../support/token-issuer.ts';
import { openWorld, type World } from '../../support/world.ts';

// A URL of Leasehold's is one text: with its path, and with what was checked. The cluster of these tests is also served under
// a path of a server whose root is another cluster, which says yes to everything.

const REVIEW_RULES = [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }];

const impostor = makeTokenIssuer();
const INTRUDER = 'system:serviceaccount:kube-system:intruder';

let world: World;
let proxy: PrefixProxy;
let folder: TempFolder;
let setup: StaticSetup;
let reviewer: string;
beforeAll(async () => {
  world = await openWorld({}, 'direct');
  folder = await makeTempFolder('urls');
  setup = await setUpStatic(world, 'urls');
  const account = await world.admin.createServiceAccount(await world.admin.createNamespace('reviewer'), 'reviewer');
  await world.admin.bindClusterRole(await world.admin.createClusterRole(REVIEW_RULES), account);
  await world.admin.waitUntilMay(account, { verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews' });
  reviewer = await world.admin.mintToken(account);
  proxy = await startPrefixProxy(world.cluster, ({ url }, response) => {
    const answers: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer: proxy.url, jwks_uri: `${proxy.origin}/openid/v1/jwks` },
      '/openid/v1/jwks': impostor.jwks,
    };
    const yes = {
      status: { authenticated: true, user: { username: INTRUDER }, audiences: ['leasehold'], allowed: true },
    };
    response.end(JSON.stringify(answers[url ?? ''] ?? yes));
  });
  await writeFile(join(folder.path, 'ca.pem'), proxy.caPem);
  await writeFile(join(folder.path, 'token'), reviewer);
});
afterEach(() => {
  proxy.askedAtRoot.length = 0;
});
afterAll(async () => {
  await world.stop();
  await proxy.stop();
  await folder.remove();
});

describe('a path in a URL is kept', () => {
  /** Whether callers of the cluster are known, and nobody else: the other cluster would vouch for both. */
  async function authenticates(how: object): Promise<void> {
    const path = join(folder.path, `callers-${randomUUID()}.yaml`);
    const issuer = decodeJwt(reviewer).iss ?? '';
    await writeFile(path, stringify({ clusters: [{ name: 'prod', issuer, audiences: ['leasehold'], ...how }] }));
    const callers = await Callers.open(path, createLogger('test', 'silent'), testEgress);
    const authenticate = (token: string) =>
      callers.authenticate({ bearer: new Secret(token), certificate: undefined, now: Date.now() });
    try {
      const forged = await impostor.token({ claims: { iss: issuer, sub: INTRUDER } });
      await expect(authenticate(forged)).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
      const account = { namespace: setup.namespace, name: setup.serviceAccount };
      const real = await world.admin.mintToken(account, { audiences: ['leasehold'] });
      expect(await authenticate(real)).toMatchObject({ id: `${setup.namespace}/${setup.serviceAccount}` });
    } finally {
      callers.close();
    }
  }

  const files = { caFile: 'ca.pem', tokenFile: 'token' };

  test.each<[string, () => Promise<void>]>([
    ['tokenReview.url', () => authenticates({ tokenReview: { url: proxy.url, ...files } })],
    [
      'tokenReview.url that ends with a slash',
      () => authenticates({ tokenReview: { url: `${proxy.url}/`, ...files } }),
    ],
    ['jwks.url', () => authenticates({ jwks: { url: `${proxy.url}/openid/v1/jwks`, ...files } })],
    [
      'direct.url of a config',
      async () => {
        const access = directAccess({ url: `${proxy.url}/`, caPem: proxy.caPem }, setup.requester.token);
        await world.configs.createConfig({ config: { ...setup.config, name: 'prefixed', access } });
        const { credential } = await world.leases.issueLease({ config: 'prefixed' });
        expect(credential?.clusterUrl).toBe(proxy.url);
      },
    ],
    [
      'LEASEHOLD_GATEWAY_API_SERVER of an agent',
      async () => {
        const { LEASEHOLD_GATEWAY_API_SERVER: url } = readGatewaySettings({
          LEASEHOLD_GATEWAY_SERVERS: 'relay.example:1',
          LEASEHOLD_GATEWAY_API_SERVER: `${proxy.url}/`,
        });
        const server = new OwnApiServer({
          url,
          ca: proxy.caPem,
          token: new InClusterToken(join(folder.path, 'token')),
        });
        const call = { method: 'GET', path: '/openid/v1/jwks', accept: 'application/json', body: undefined } as const;
        const { body } = await server.call({ ...call, isList: false }, AbortSignal.timeout(30_000));
        await server.close();
        expect(JSON.parse(body.toString())).not.toEqual(impostor.jwks);
      },
    ],
  ])('%s', async (_what, use) => {
    await use();
    expect(proxy.askedAtRoot).toEqual([]);
  });
});

const port = () => new URL(world.cluster.url).port;

const createWith = (name: string, url: string) =>
  world.configs.createConfig({
    config: { ...setup.config, name, access: directAccess({ ...world.cluster, url }, setup.requester.token) },
  });

let names = 0;

test.each<[string, () => string]>([
  ['a slash at its end', () => `https://127.0.0.1:${port()}/`],
  ['capitals', () => `HTTPS://127.0.0.1:${port()}`],
  ['a port with a zero before it', () => `https://127.0.0.1:0${port()}`],
])('a URL with %s is stored and handed out in its one form', async (_what, url) => {
  const name = `written-${names++}`;
  const { access } = await createWith(name, url());
  expect(access?.$case === 'direct' && access.value.url).toBe(world.cluster.url);
  const { credential } = await world.leases.issueLease({ config: name });
  expect(credential?.clusterUrl).toBe(world.cluster.url);
});

test.each<[string, (authority: string) => string]>([
  ['a line break in it', (at) => `https://127.0.0\n${at.slice(7)}`],
  ['a tab at its end', (at) => `https://${at}\t`],
  ['a blank before it', (at) => ` https://${at}`],
  ['no slashes', (at) => `https:${at}`],
  ['one slash', (at) => `https:/${at}`],
  ['three slashes', (at) => `https:///${at}`],
  ['backslashes', (at) => `https:\\\\${at}`],
  ['a backslash as its end', (at) => `https://${at}\\`],
  ['an empty query', (at) => `https://${at}?`],
  ['an empty fragment', (at) => `https://${at}#`],
  ['an empty user', (at) => `https://@${at}`],
  ['two slashes as its path', (at) => `https://${at}//`],
  ['a dot segment', (at) => `https://${at}/k8s/..`],
  ['an escaped dot segment', (at) => `https://${at}/k8s/%2e%2E`],
  ['an escaped slash', (at) => `https://${at}/%2f`],
  ['an escaped backslash', (at) => `https://${at}/%5C`],
  ['an escaped NUL', (at) => `https://${at}/%00`],
  ['an address in decimal', (at) => `https://2130706433${at.slice(9)}`],
  ['an address in hexadecimal', (at) => `https://0x7f.1${at.slice(9)}`],
  ['an address in octal', (at) => `https://0177.0.0.1${at.slice(9)}`],
  ['an address with a dot at its end', (at) => `https://127.0.0.1.${at.slice(9)}`],
  ['an escaped host', (at) => `https://%31${at.slice(1)}`],
  ['port 0', () => 'https://127.0.0.1:0'],
])('a URL with %s is refused by the name of its field', async (_what, write) => {
  const rejection = await rejectionOf(createWith(`refused-${names++}`, write(`127.0.0.1:${port()}`)));
  expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.url'] });
});

test('a config that was stored before goes on to be of the same cluster, and its leases with it', async () => {
  const { config, requester, role, namespaces } = await setUpDynamic(world, 'older');
  const created = await world.configs.createConfig({ config });
  // The text of whoever created the config.
  await storeAccess(world, 'older', { url: `${world.cluster.url.replace('https', 'HTTPS')}/` });

  const { lease, credential } = await world.leases.issueLease({ config: 'older' });
  expect(credential?.clusterUrl).toBe(world.cluster.url);
  const { url } = world.cluster;
  // The same URL: the stored token stays.
  const renamed = { name: 'older', access: { $case: 'direct', value: { url, token: '' } } } as const;
  const updated = await world.configs.updateConfig({ config: renamed, updateMask: ['direct.url'] });
  expect(updated.uid).toBe(created.uid);
  // The same cluster: a newer token takes down what an older one made.
  const next = await createDynamicRequester(world.admin, namespaces[0], { clusterRole: role });
  await world.configs.updateConfig({
    config: { name: 'older', access: directAccess(world.cluster, next.token) },
    updateMask: ['direct'],
  });
  await world.admin.rbac.deleteClusterRole({ name: requester.clusterRole });
  await world.admin.waitUntilMay(requester.account, { verb: 'delete', resource: 'serviceaccounts' }, false);
  const revoked = await world.leases.revokeLease({ id: lease?.id ?? '' });
  expect(revoked.state).toBe(LeaseState.LEASE_STATE_REVOKED);
});

describe('what was stored before, and would be written otherwise today, stops no change of something else', () => {
  let served: PrefixProxy;
  beforeAll(async () => {
    served = await startPrefixProxy(world.cluster, (_request, response) => response.end(), '//x');
  });
  afterAll(() => served.stop());

  test.each<[string, string, () => ClusterAddress & { serverName?: string }]>([
    ['a URL with two slashes in its path', 'two-slashes', () => served],
    ['a server name in capitals', 'in-capitals', () => ({ ...world.cluster, serverName: 'KUBERNETES.Default.svc' })],
  ])('%s', async (_what, name, stored) => {
    const { url, caPem, serverName } = stored();
    await world.configs.createConfig({ config: { ...setup.config, name } });
    await storeAccess(world, name, { url, tls: { caPem, insecureSkipVerify: false, serverName } });
    await world.configs.updateConfig({ config: { name, labels: { team: 'one' } }, updateMask: ['labels'] });
    const address = { url, caPem, ...(serverName && { serverName }) };
    const access = directAccess(address, await world.admin.mintToken(setup.requester.account));
    await world.configs.updateConfig({ config: { name, access }, updateMask: ['direct.token'] });
    const shown = await world.configs.updateConfig({ config: { name, access }, updateMask: ['direct'] });
    expect(shown).toMatchObject({
      labels: { team: 'one' },
      access: { value: { url, tls: { serverName: serverName ?? '' } } },
    });
    const other = directAccess({ ...address, url: `${url}//y` }, '');
    const rejection = await rejectionOf(
      world.configs.updateConfig({ config: { name, access: other }, updateMask: ['direct.url'] }),
    );
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.url'] });
  });
});
