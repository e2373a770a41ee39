import { afterAll, inject } from 'vitest';
import { Secret } from '../../src/shared/domain/secret.ts';
import { AccessGuard } from '../../src/shared/kubernetes/access-guard.ts';
import { ApiServer } from '../../src/shared/kubernetes/api-server.ts';
import { FairTurns } from '../../src/shared/kubernetes/fair-turns.ts';
import { KubernetesCluster } from '../../src/shared/kubernetes/kubernetes-cluster.ts';
import { routeTo } from '../../src/shared/kubernetes/route-to.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { ANY_USE } from './cluster-use.ts';
import { testEgress } from './egress.ts';
import { keepLog } from './keep-log.ts';
import { PATIENT_LIMITS } from './patience.ts';

export interface ServerAddress {
  url: string;
  caPem: string;
}

/** Leasehold's view of the cluster at `address`, without Leasehold around it. Its connections end with the test file. */
export function directCluster(
  { url, caPem }: ServerAddress,
  token: string,
  options: { pageSize?: number; callTimeoutMs?: number } = {},
): KubernetesCluster {
  const { callTimeoutMs = PATIENT_LIMITS.callTimeoutMs } = options;
  const limits = { connections: 4, ...PATIENT_LIMITS, callTimeoutMs };
  const tls = { caPem, insecureSkipVerify: false, serverName: undefined };
  const access = {
    kind: 'direct',
    renewToken: false,
    id: 'access',
    configUid: 'config',
    url,
    tls,
    token: new Secret(token),
    gateway: undefined,
  } as const;
  const guard = new AccessGuard(
    { cluster: url, configUid: access.configUid, turns: new FairTurns(limits.connections), outage: undefined },
    callTimeoutMs,
    keepLog().log,
  );
  const server = new ApiServer(routeTo(access, limits.connectTimeoutMs, noGateways, testEgress), limits, guard);
  open.push(server);
  return new KubernetesCluster(server, ANY_USE, undefined, options);
}

/** The tests' control plane, seen by its administrator. */
export function adminsCluster(options: { pageSize?: number } = {}): KubernetesCluster {
  const { adminToken, ...address } = inject('controlPlane');
  return directCluster(address, adminToken, options);
}

const open: ApiServer[] = [];
afterAll(() => Promise.all(open.map((server) => server.close())));
