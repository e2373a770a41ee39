import { setTimeout as delay } from 'node:timers/promises';
import { CoreV1Api, KubeConfig, RbacAuthorizationV1Api } from '@kubernetes/client-node';
import { K3sContainer } from '@testcontainers/k3s';
import type { ControlPlane } from './control-plane.ts';
import { httpsStatus } from './https-status.ts';

const IMAGE = 'rancher/k3s:v1.31.2-k3s1';
const ADMIN = { name: 'leasehold-test-admin', namespace: 'kube-system' };
const POLL_MS = 100;
const ADMIN_WITHIN_MS = 120_000;

/** Starts K3s in a container. Its admin is a certificate, so a service account is made that is one by token. */
export async function startK3sControlPlane(maxTokenSeconds: number): Promise<ControlPlane> {
  await using started = new AsyncDisposableStack();
  const container = await new K3sContainer(IMAGE).withCommand(k3sArgs(maxTokenSeconds)).start();
  started.defer(async () => {
    await container.stop();
  });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromString(container.getKubeConfig());
  const { url, caPem } = clusterOf(kubeConfig);
  await bindAdminAccount(kubeConfig);
  const adminToken = await mintAdminToken(kubeConfig, maxTokenSeconds);
  await waitUntilAdmin(url, caPem, adminToken);
  const running = started.move();
  return { url, caPem, adminToken, maxTokenSeconds, stop: () => running.disposeAsync() };
}

function k3sArgs(maxTokenSeconds: number): string[] {
  return [
    'server',
    '--disable=traefik',
    '--disable=metrics-server',
    `--kube-apiserver-arg=service-account-max-token-expiration=${maxTokenSeconds}s`,
  ];
}

function clusterOf(kubeConfig: KubeConfig): { url: string; caPem: string } {
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster?.caData === undefined) {
    throw new Error('the kubeconfig of K3s has no certificate authority');
  }
  return { url: cluster.server, caPem: Buffer.from(cluster.caData, 'base64').toString('utf8') };
}

async function bindAdminAccount(kubeConfig: KubeConfig): Promise<void> {
  await kubeConfig.makeApiClient(CoreV1Api).createNamespacedServiceAccount({
    namespace: ADMIN.namespace,
    body: { metadata: { name: ADMIN.name } },
  });
  await kubeConfig.makeApiClient(RbacAuthorizationV1Api).createClusterRoleBinding({
    body: {
      metadata: { name: ADMIN.name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', ...ADMIN }],
    },
  });
}

async function mintAdminToken(kubeConfig: KubeConfig, expirationSeconds: number): Promise<string> {
  const request = await kubeConfig.makeApiClient(CoreV1Api).createNamespacedServiceAccountToken({
    ...ADMIN,
    body: { spec: { audiences: [], expirationSeconds } },
  });
  const token = request.status?.token;
  if (token === undefined) {
    throw new Error('K3s minted no admin token');
  }
  return token;
}

/** The authorizer sees a new binding a moment after it was made. */
async function waitUntilAdmin(url: string, caPem: string, token: string): Promise<void> {
  const deadline = Date.now() + ADMIN_WITHIN_MS;
  while ((await httpsStatus(`${url}/api/v1/namespaces`, caPem, token)) !== 200) {
    if (Date.now() > deadline) {
      throw new Error(`the admin account of K3s got no rights within ${ADMIN_WITHIN_MS} ms`);
    }
    await delay(POLL_MS);
  }
}
