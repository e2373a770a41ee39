import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readGatewaySettings } from '../../../src/gateway/settings.ts';
import { startAgent } from '../../../src/gateway/start-agent.ts';
import { Callers } from '../../../src/server/authentication/callers.ts';
import { openTransport } from '../../../src/server/transport/open-transport.ts';
import { createRuntime } from '../../../src/shared/runtime.ts';
import { readSettings, type Settings } from '../../../src/shared/settings.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import { makeTempFolder, type TempFolder } from '../../servers/temp-folder.ts';
import { firstOf, makeCa } from '../../support/certificates.ts';
import { testEgress } from '../../support/egress.ts';
import { leaseholdEnvironment } from '../../support/leasehold.ts';
import { otherCa } from '../../support/other-ca.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { SECURE } from '../../support/security.ts';
import { directAccess, type StaticSetup, setUpStatic } from '../../support/set-ups.ts';
import { storeAccess } from '../../support/store-access.ts';
import { openWorld, type World } from '../../support/world.ts';

// Each certificate of a bundle is read. One that cannot be read would take those behind it with it, without a word.

const ca = await makeCa();
const [one, two, { key }] = [ca.caPem.trim(), otherCa.trim(), await ca.issue()];

let world: World;
let setup: StaticSetup;
let folder: TempFolder;
beforeAll(async () => {
  world = await openWorld({}, 'direct');
  setup = await setUpStatic(world, 'bundles');
  folder = await makeTempFolder('ca-bundles');
});
afterAll(async () => {
  await world.stop();
  await folder.remove();
});

let names = 0;
const createWith = (caPem: string) =>
  world.configs.createConfig({
    config: {
      ...setup.config,
      name: `bundle-${names++}`,
      access: directAccess({ ...world.cluster, caPem }, setup.requester.token),
    },
  });

const CRLF = (pem: string) => pem.replaceAll('\n', '\r\n');
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a bundle is taken', () => {
  test.each<[string, (real: string) => string]>([
    [
      'as OpenSSL prints it, with text around',
      (real) => `Certificate:\n    Data:\n  Version: 3\n${one}\n# ours\n${real}`,
    ],
    ['with the line ends of Windows', (real) => CRLF(`${one}\n${real}`)],
    ['without a line end at its end, and with a byte order mark', (real) => `\uFEFF${real.trim()}`],
    ['under the older name', (real) => real.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE')],
    ['under the name of OpenSSL', (real) => real.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE')],
    ['beside one that is commented out', (real) => `${two.replace(/^/gm, '# ')}\n${real}`],
  ])('%s', async (_what, write) => {
    const { name } = await createWith(write(world.cluster.caPem));
    const { credential } = await world.leases.issueLease({ config: name });
    const handedOut = credential?.tls?.caPem ?? '';
    // Every library reads what is handed out: nothing but certificates.
    expect(handedOut).toMatch(/^(?:-----BEGIN CERTIFICATE-----\n[\w+/=\n]+-----END CERTIFICATE-----\n)+$/);
  });
});

describe('a bundle is refused, and the error says which or what it looks like', () => {
  test.each<[string, (real: string) => string, RegExp]>([
    [
      'with a certificate that is cut off',
      (real) => `${real}\n${one.slice(0, 200)}\n${two}`,
      /certificate \d of \d is cut/,
    ],
    ['that ends in the midst of one', (real) => `${real}\n${one.slice(0, -60)}`, /is cut off/],
    ['with one that lost a line', (real) => `${real}\n${one.replace(/\n.{64}/, '')}`, /is cut off or damaged/],
    ['with one that lost its beginning', (real) => `${real}\n${one.slice(60)}`, /has no -----BEGIN CERTIFICATE-----/],
    [
      'with two that were joined without a line break',
      (real) => `${real.trim()}${one}`,
      /begins on the line that ends/,
    ],
    ['with a dash too few', (real) => `${real}\n${one.replace('-----B', '----B')}`, /five dashes/],
    ['with two certificates between two lines', (real) => `${real}\n${inOne(one, two)}`, /something behind it/],
    ['whose line breaks became blanks', (real) => real.replaceAll('\n', ' '), /alone on its line/],
    ['in base64, as in a kubeconfig', (real) => base64(real), /looks like the base64 of a PEM/],
    ['with line breaks as two characters', (real) => JSON.stringify(real), /written as \\n/],
    ['with its private key', (real) => `${real}\n${key}`, /private key/],
    ['that is a request', (real) => real.replaceAll(' CERTIFICATE', ' CERTIFICATE REQUEST'), /signing request/],
    [
      'without its lines',
      (real) => real.replace(/-----[A-Z ]+-----/g, ' ').split(' ')[1] ?? '',
      /without its PEM lines/,
    ],
    ['that is a kubeconfig', (real) => `apiVersion: v1\nclusters:\n- cluster: {a: ${base64(real)}}`, /kubeconfig/],
    ['that is a path', () => '/etc/kubernetes/pki/ca.crt', /looks like a path/],
  ])('%s', async (_what, write, problem) => {
    const rejection = await rejectionOf(createWith(write(world.cluster.caPem)));
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.tls.ca_pem'] });
    expect(rejection.message).toMatch(problem);
  });
});

function inOne(...pems: readonly string[]): string {
  const der = Buffer.concat(pems.map((pem) => new X509Certificate(pem).raw));
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

test('a config that has its CA in other words has the same CA: its token stays', async () => {
  const { name } = await createWith(world.cluster.caPem);
  const { url, caPem } = world.cluster;
  const access = directAccess({ url, caPem: CRLF(caPem) }, '');
  await world.configs.updateConfig({ config: { name, access }, updateMask: ['direct.tls'] });
});

describe('a bundle that was stored before, and would be refused today, stops no change of something else', () => {
  const NO_CRL = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
  test.each<[string, (real: string) => string]>([
    ['with a certificate that is cut off', (real) => `${real}\n${one.slice(0, 200)}`],
    ['with a private key', (real) => `${real}\n${key}`],
    ['with a revocation list', (real) => `${real}\n${NO_CRL}`],
    ['that is too long', (real) => `${real}\n${'# of old\n'.repeat(8_000)}`],
  ])('%s', async (_what, write) => {
    const { name } = await createWith(world.cluster.caPem);
    const { url } = world.cluster;
    const caPem = write(world.cluster.caPem);
    await storeAccess(world, name, { tls: { caPem, insecureSkipVerify: false, serverName: undefined } });
    await world.configs.updateConfig({ config: { name, labels: { team: 'one' } }, updateMask: ['labels'] });
    const access = directAccess({ url, caPem }, await world.admin.mintToken(setup.requester.account));
    await world.configs.updateConfig({ config: { name, access }, updateMask: ['direct.token'] });
    const shown = await world.configs.updateConfig({ config: { name, access }, updateMask: ['direct.tls'] });
    expect(shown).toMatchObject({ labels: { team: 'one' }, access: { value: { tls: { caPem } } } });
    const other = directAccess({ url, caPem: `${caPem}${key}` }, '');
    const rejection = await rejectionOf(
      world.configs.updateConfig({ config: { name, access: other }, updateMask: ['direct.tls'] }),
    );
    expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.tls.ca_pem'] });
  });
});

test('a bundle that is too long once its lines are broken is refused by CreateConfig already', async () => {
  const inOneLine = inOne(one);
  const caPem = inOneLine.repeat(Math.floor((64 * 1024) / inOneLine.length));
  const rejection = await rejectionOf(createWith(caPem));
  expect(rejection).toMatchObject({ code: Status.INVALID_ARGUMENT, fields: ['config.direct.tls.ca_pem'] });
  expect(rejection.message).toMatch(/at most 64 KiB, in lines of 64 characters/);
});

const log = createLogger('test', 'silent');
const settings = (overrides: Record<string, string>): Settings =>
  readSettings(leaseholdEnvironment(world.redisUrl, overrides));

/** What opens a file of certificates, by the file's path. */
const FILES: [setting: string, open: (path: string) => Promise<unknown>][] = [
  ['LEASEHOLD_CLIENT_CA', (path) => openTransport(settings({ LEASEHOLD_CLIENT_CA: path }), log)],
  ['LEASEHOLD_TLS_CERT', (path) => openTransport(settings({ LEASEHOLD_TLS_CERT: path }), log)],
  ['LEASEHOLD_RELAY_CA', (path) => createRuntime(settings({ LEASEHOLD_RELAY_CA: path }), log)],
  [
    'caFile of a tokenReview',
    (caFile) => openCallers({ tokenReview: { url: 'https://h', caFile, tokenFile: 'token' } }),
  ],
  ['caFile of jwks', (caFile) => openCallers({ jwks: { url: 'https://h/keys', caFile } })],
  ['LEASEHOLD_GATEWAY_SERVER_CA', (path) => openAgent({ LEASEHOLD_GATEWAY_SERVER_CA: path })],
  ['LEASEHOLD_GATEWAY_CA_FILE', (path) => openAgent({ LEASEHOLD_GATEWAY_CA_FILE: path })],
];

async function openCallers(how: object): Promise<Callers> {
  const path = join(folder.path, 'callers.yaml');
  const cluster = { name: 'prod', issuer: 'https://issuer.example', audiences: ['leasehold'], ...how };
  await writeFile(path, stringify({ clusters: [cluster] }));
  return Callers.open(path, log, testEgress);
}

function openAgent(overrides: Record<string, string>): Promise<unknown> {
  const agent = readGatewaySettings({
    LEASEHOLD_GATEWAY_SERVERS: 'relay.example:1',
    LEASEHOLD_GATEWAY_IDENTITY: join(folder.path, 'identity.json'),
    LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: 'token',
    ...overrides,
  });
  return startAgent(agent, log);
}

test.each(FILES)('a file of %s is judged whole at the start', async (_setting, open) => {
  const path = join(folder.path, 'bundle.pem');
  await writeFile(path, `${firstOf(one)}\n${two.slice(0, 300)}\n${one}`);
  await expect(open(path)).rejects.toThrow(/certificate 2 of 3 is cut off/);
});

test('the certificate of the server may stand in one file with its key', async () => {
  const issued = await ca.issue();
  const path = join(folder.path, 'both.pem');
  await writeFile(path, `${issued.key}\n${CRLF(issued.cert)}`);
  const { LEASEHOLD_TLS_CERT: _, ...secure } = SECURE;
  const transport = await openTransport(
    settings({ ...secure, LEASEHOLD_TLS_CERT: path, LEASEHOLD_TLS_KEY: path }),
    log,
  );
  transport.close();
});
