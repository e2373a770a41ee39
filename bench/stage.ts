import { startControlPlane } from '../test/servers/control-plane.ts';
import { startRedisServer } from '../test/servers/redis-server.ts';
import { Admin, type ClusterAddress, READ_PODS } from '../test/support/admin.ts';
import { type LeaseholdClient, leaseholdEnvironment } from '../test/support/leasehold.ts';
import { createRequester, DYNAMIC_RULES, type Requester } from '../test/support/seed-rbac.ts';
import { startServerAndWorker } from '../test/support/server-and-worker.ts';

/** What all ways of issuing work on: one cluster, one namespace for what they make, one role, one token. */
export interface Stage extends AsyncDisposable {
  cluster: ClusterAddress;
  redisUrl: string;
  /** Settings of its Leasehold. */
  environment: Record<string, string>;
  admin: Admin;
  namespace: string;
  role: string;
  token: string;
  client: LeaseholdClient;
}

export const CONFIG = 'bench';
export const TTL_SECONDS = 3600;

export async function setTheStage(progress: (line: string) => void): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const controlPlane = await startControlPlane({ progress });
  started.defer(() => controlPlane.stop());
  const redis = await startRedisServer({ progress });
  started.defer(() => redis.stop());
  const cluster = { url: controlPlane.url, caPem: controlPlane.caPem };
  const admin = new Admin(cluster, controlPlane.adminToken);
  const namespace = await admin.createNamespace('bench');
  const role = await admin.createClusterRole([READ_PODS]);
  const requester = await makeRequester(admin, role);

  const environment = leaseholdEnvironment(redis.url);
  const leasehold = await startServerAndWorker(environment);
  started.defer(async () => void (await leasehold.stop()));
  const { server, worker, client } = leasehold;
  server.ignoreLogs();
  worker.ignoreLogs();
  const ttl = { seconds: BigInt(TTL_SECONDS) };
  await client.configs.createConfig({
    config: {
      name: CONFIG,
      defaultTtl: ttl,
      maxTtl: ttl,
      access: { $case: 'direct', value: { url: cluster.url, tls: { caPem: cluster.caPem }, token: requester.token } },
      credential: { $case: 'dynamic', value: { allowedNamespaces: [namespace], role: { kind: 2, name: role } } },
    },
  });
  const running = started.move();
  return {
    cluster,
    redisUrl: redis.url,
    environment,
    admin,
    namespace,
    role,
    token: requester.token,
    client,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/**
 * An account that may issue leases of that role. It holds `bind` on the role, as in deploy/rbac. Without it kube-apiserver
 * reads every RoleBinding of the namespace from etcd each time that one is made (its escalation check), and we would measure
 * that.
 */
export async function makeRequester(admin: Admin, role: string): Promise<Requester> {
  return createRequester(admin, await admin.createNamespace('bench-account'), [
    ...DYNAMIC_RULES,
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: [role], verbs: ['bind'] },
  ]);
}

/** Every block begins with an empty namespace: what an API server does for a binding depends on how many there are. */
export async function clear({ admin, namespace }: Stage): Promise<void> {
  await admin.rbac.deleteCollectionNamespacedRoleBinding({ namespace });
  await admin.core.deleteCollectionNamespacedServiceAccount({ namespace });
}
