import { readSettings } from '../../../src/shared/settings.ts';
import type { Leasehold } from '../leasehold.ts';
import { directAccess } from '../set-ups.ts';
import { type Apart, openApart } from './apart.ts';
import { type GatewayInstallation, openGatewayInstallation } from './gateway-installation.ts';
import { type OpenGateway, openGateway } from './open-gateway.ts';
import type { OpenTransport } from './transports.ts';

/** The subject in manifests for a gateway, in YAML: deploy/gateway runs it under this account. */
const DOCUMENTED_ACCOUNT = /namespace: leasehold(\s+)name: leasehold-gateway/g;

/** Gateway authentication: each account that a test uses has a gateway of its own, which runs under it. */
export const openByGateway: OpenTransport = async (cluster, redisUrl, overrides) => {
  const { installation, ...leasehold } = await open(await openApart(cluster, redisUrl), overrides);
  const gatewayOf = new Map<string, Promise<OpenGateway>>();
  return {
    ...leasehold,
    async accessOf({ token }) {
      const gateway = gatewayOf.get(token) ?? openGateway(installation, leasehold, { token });
      gatewayOf.set(token, gateway);
      return { $case: 'gateway', value: { name: (await gateway).name } };
    },
    manifestFor: ({ namespace, name }, manifest) =>
      manifest.replaceAll(DOCUMENTED_ACCOUNT, `namespace: ${namespace}$1name: ${name}`),
    inConfig: installation.where.cluster,
    inCredential: { clusterUrl: '', tls: undefined },
  };
};

/** Gateway as a network path: one for all, which has no token of its own. */
export const openByPath: OpenTransport = async (cluster, redisUrl, overrides) => {
  const { installation, ...leasehold } = await open(await openApart(cluster, redisUrl), overrides);
  const { url, ...tls } = installation.where.cluster;
  const environment = { LEASEHOLD_GATEWAY_TARGETS: new URL(url).host };
  const { name: gateway } = await openGateway(installation, leasehold, { environment });
  return {
    ...leasehold,
    async accessOf({ token }) {
      const { value } = directAccess(installation.where.cluster, token);
      return { $case: 'direct', value: { ...value, gateway } };
    },
    manifestFor: (_, manifest) => manifest,
    inConfig: installation.where.cluster,
    inCredential: { clusterUrl: url, tls },
  };
};

/** One server, one worker, and a client. */
async function open(
  where: Apart,
  overrides: Record<string, string>,
): Promise<Leasehold & { installation: GatewayInstallation }> {
  await using opened = new AsyncDisposableStack();
  const installation = opened.use(await openGatewayInstallation(where, overrides));
  const starting = installation.startWorker();
  const { client, address, process: server } = await installation.startServer();
  let worker = await starting;
  const running = opened.move();
  return {
    ...client,
    installation,
    settings: readSettings(installation.environment),
    address,
    logs: installation.logs,
    async startWorker() {
      worker = await installation.startWorker();
    },
    async stopWorker() {
      await worker.stop();
    },
    async stop() {
      const exitCodes = await Promise.all([server.stop(), worker.stop()]);
      await running.disposeAsync();
      if (exitCodes.some((code) => code !== 0)) {
        throw new Error(`server and worker ended with ${exitCodes.join(' and ')}`);
      }
    },
  };
}
