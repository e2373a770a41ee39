import { afterAll, beforeAll, describe, inject } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { describeCluster, type OpenCluster } from '../contract/cluster.ts';
import { describeMarkedObjects } from '../contract/marked-objects.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { Admin, READ_PODS } from '../support/admin.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { outsiderIn } from '../support/outsider.ts';
import { PATIENT_LIMITS } from '../support/patience.ts';

// The contract of a cluster, on a real API server; test/unit/fakes.test.ts runs it on its fake.

const { url, caPem, adminToken } = inject('controlPlane');
const clusters = new KubernetesClusters({ connections: 4, ...PATIENT_LIMITS }, noGateways, testEgress, keepLog().log);
const admin = new Admin({ url, caPem }, adminToken);
let role: string;

beforeAll(async () => {
  role = await admin.createClusterRole([READ_PODS]);
});
afterAll(() => clusters.close());

async function open(): Promise<OpenCluster> {
  const namespace = await admin.createNamespace('contract');
  await admin.createServiceAccount(namespace, 'reader');
  const tls = { caPem, insecureSkipVerify: false, serverName: undefined };
  const cluster = clusters.at(
    {
      kind: 'direct',
      renewToken: false,
      gateway: undefined,
      id: namespace,
      configUid: 'config',
      url,
      tls,
      token: new Secret(adminToken),
    },
    ANY_USE,
  );
  return { cluster, namespace, role, outsider: outsiderIn(admin, namespace) };
}

describe('KubernetesCluster', () => {
  describeCluster(open);
  describeMarkedObjects(open);
});
