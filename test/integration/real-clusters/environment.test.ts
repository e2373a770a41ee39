import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { readGatewaySettings } from '../../../src/gateway/settings.ts';
import { tellOfProxy } from '../../../src/gateway/tell-of-proxy.ts';
import { tunnelServers } from '../../../src/gateway/tunnel-server.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { Secret } from '../../../src/shared/domain/secret.ts';
import { warnOfProxies } from '../../../src/shared/proxy-environment.ts';
import { Peers } from '../../../src/shared/relay/peers.ts';
import { readSettings } from '../../../src/shared/settings.ts';
import { createLogger } from '../../../src/shared/telemetry/logger.ts';
import { makeTempFolder, type TempFolder } from '../../servers/temp-folder.ts';
import { Admin } from '../../support/admin.ts';
import { makeCa } from '../../support/certificates.ts';
import { keepLog } from '../../support/keep-log.ts';
import { connectTo, leaseholdEnvironment } from '../../support/leasehold.ts';
import { type Relay, startRelay } from '../../support/relay.ts';
import { startServerAndWorker } from '../../support/server-and-worker.ts';
import { directAccess, setUpDynamic } from '../../support/set-ups.ts';

// What processes find in their environment: settings out of files and proxies that are meant for other programs.

const { url, caPem, adminToken } = inject('controlPlane');
const cluster = { url, caPem };
const admin = new Admin(cluster, adminToken);

const ca = await makeCa();
let relay: Relay;
let folder: TempFolder;
let proxy: Server;
let proxyUrl: string;
/** What the proxy was asked to connect to. */
const proxied: string[] = [];
beforeAll(async () => {
  relay = await startRelay(await ca.issue());
  folder = await makeTempFolder('environment');
  await writeFile(join(folder.path, 'ca.pem'), ca.caPem);
  proxy = createServer();
  proxy.on('connection', () => proxied.push('a connection'));
  proxy.on('connect', ({ url: target = '' }, client, head) => {
    proxied.push(target);
    const [host, port] = target.split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(() => {
  vi.unstubAllEnvs();
  proxied.length = 0;
});
afterAll(async () => {
  relay.stop();
  proxy.close();
  proxy.closeAllConnections();
  await folder.remove();
});

test('server and worker start with line breaks around their settings, listen as Go programs do, and use no proxy', async () => {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'grpc_proxy'];
  const environment = leaseholdEnvironment(inject('redisUrl'), { LEASEHOLD_LISTEN: ':0' });
  const { server, worker, client, stop } = await startServerAndWorker({
    ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, `${value}\n`])),
    ...Object.fromEntries(names.map((name) => [name, proxyUrl])),
  });
  const { config, requester } = await setUpDynamic({ cluster, admin }, 'dynamic');
  const { port } = new URL(cluster.url);
  const access = directAccess({ ...cluster, url: `https://127.0.0.1:${port}` }, requester.token);
  await client.configs.createConfig({ config: { ...config, access } });
  const { lease } = await client.leases.issueLease({ config: 'dynamic' });
  await client.leases.revokeLease({ id: lease?.id ?? '' });
  for (const { logs } of [server, worker]) {
    const told = logs.filter(({ msg }) => msg.includes('proxy'));
    expect(told).toEqual([expect.objectContaining({ level: 40, variables: names.toSorted() })]);
  }
  await stop();
  expect(proxied).toEqual([]);
}, 180_000);

describe('where a proxy is named', () => {
  test.each(['https_proxy', 'http_proxy', 'grpc_proxy'])('by %s, the agent connects through it', async (name) => {
    vi.stubEnv(name, proxyUrl);
    vi.stubEnv('no_proxy', '');
    const settings = readGatewaySettings({
      LEASEHOLD_GATEWAY_SERVERS: relay.address,
      LEASEHOLD_GATEWAY_SERVER_CA: join(folder.path, 'ca.pem'),
    });
    const client = tunnelServers(settings)[0]?.connect();
    const nothing = { token: 'none', publicKey: Buffer.of(), signature: Buffer.of() };
    await expect(client?.enrol(nothing, { deadline: Date.now() + 30_000 })).rejects.toThrow('unknown');
    client?.close();
    expect(proxied).toContain(relay.address);
  });

  test.each(['https_proxy', 'http_proxy', 'grpc_proxy'])('by %s, servers reach each other directly', async (name) => {
    vi.stubEnv(name, proxyUrl);
    vi.stubEnv('no_proxy', '');
    const peers = new Peers({ bearer: () => new Secret('bearer'), ca: () => ca.caPem, name: undefined });
    await expect(
      peers.wayTo('gateway', relay.address).open({ kind: 'api-server' }, { timeoutMs: 30_000 }),
    ).rejects.toThrow();
    peers.close();
    expect(proxied).toEqual([]);
  });

  test.each([
    ['HTTPS_PROXY', /^warn: the HTTP proxy of the environment is ignored: gRPC reads/],
    ['ALL_PROXY', /^warn: the HTTP proxy of the environment is ignored: gRPC reads/],
    ['https_proxy', /^info: the agent connects to Leasehold through the HTTP proxy/],
  ])('by %s, the agent says which way it goes', (name, message) => {
    const { log, lines } = keepLog();
    tellOfProxy({ [name]: proxyUrl }, log);
    expect(lines).toEqual([expect.stringMatching(message)]);
  });

  test('by none, or by an empty value, nobody says anything', () => {
    const { log, lines } = keepLog();
    for (const environment of [{}, { HTTPS_PROXY: '', https_proxy: ' ' }, { NO_PROXY: '*' }]) {
      tellOfProxy(environment, log);
      warnOfProxies(environment, log);
    }
    expect(lines).toEqual([]);
  });
});

test.each([':0', '*:0', '[::]:0', '0.0.0.0:0', '127.0.0.1:0', 'localhost:0'])(
  'a server that listens at %s is reached over IPv4',
  async (listen) => {
    const settings = readSettings(leaseholdEnvironment(inject('redisUrl'), { LEASEHOLD_LISTEN: listen }));
    const server = await startServer(settings, createLogger('test', 'silent'));
    const client = connectTo(`127.0.0.1:${server.address.split(':').at(-1)}`);
    expect(await client.configs.listConfigs({})).toMatchObject({ configs: [] });
    client.close();
    await server.stop();
  },
);

test('a server that cannot listen fails, and leaves nothing of it behind', async () => {
  const port = new URL(proxyUrl).port;
  const settings = readSettings(leaseholdEnvironment(inject('redisUrl'), { LEASEHOLD_LISTEN: `127.0.0.1:${port}` }));
  await expect(startServer(settings, createLogger('test', 'silent'))).rejects.toThrow('EADDRINUSE');
  expect(channel('http2.server.stream.created').hasSubscribers).toBe(false);
});

test.each([
  ['capitals', 'KUBERNETES.Default.svc'],
  ['a dot at its end', 'kubernetes.default.svc.'],
  ['both', 'Kubernetes.DEFAULT.svc.'],
])('a server_name in %s is the name', async (_what, serverName) => {
  const environment = leaseholdEnvironment(inject('redisUrl'));
  const server = await startServer(readSettings(environment), createLogger('test', 'silent'));
  const client = connectTo(server.address);
  const { config, requester } = await setUpDynamic({ cluster, admin }, 'named');
  const access = directAccess({ ...cluster, serverName }, requester.token);
  const created = await client.configs.createConfig({ config: { ...config, access } });
  expect(created.access).toMatchObject({ value: { tls: { serverName: 'kubernetes.default.svc' } } });
  client.close();
  await server.stop();
});
