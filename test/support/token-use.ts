import { ApiException, AuthorizationV1Api, CoreV1Api } from '@kubernetes/client-node';
import { type ClusterAddress, kubeConfigFor } from './admin.ts';
import { eventually } from './eventually.ts';

/** The HTTP status with which the API server answers a list of pods under `token`. */
export async function listPodsStatus(cluster: ClusterAddress, token: string, namespace: string): Promise<number> {
  return statusOf(() => kubeConfigFor(cluster, token).makeApiClient(CoreV1Api).listNamespacedPod({ namespace }));
}

/** The authorizer hears of bindings a moment later; less than the 10 s for which a token itself is remembered. */
const AUTHORIZER_LAG_MS = 8_000;

/** Waits a moment for a list of pods to have one of the `expected` statuses. Throws where it has another. */
export async function waitForPodsStatus(
  cluster: ClusterAddress,
  token: string,
  namespace: string,
  ...expected: number[]
): Promise<number> {
  return eventually(
    async () => {
      const status = await listPodsStatus(cluster, token, namespace);
      if (!expected.includes(status)) {
        throw new Error(`a list of pods in ${namespace} has status ${status}, not ${expected.join(' or ')}`);
      }
      return status;
    },
    { withinMs: AUTHORIZER_LAG_MS, everyMs: 10 },
  );
}

/** The status of a list of secrets, which no role of the tests grants. */
export async function listSecretsStatus(cluster: ClusterAddress, token: string, namespace: string): Promise<number> {
  return statusOf(() => kubeConfigFor(cluster, token).makeApiClient(CoreV1Api).listNamespacedSecret({ namespace }));
}

/** 201 while the API server knows who holds `token`, whatever they may do; 401 when it does not any more. */
export async function authenticationStatus(cluster: ClusterAddress, token: string): Promise<number> {
  const api = kubeConfigFor(cluster, token).makeApiClient(AuthorizationV1Api);
  const body = { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } };
  const status = await statusOf(() => api.createSelfSubjectAccessReview({ body }));
  return status === 200 ? 201 : status;
}

async function statusOf(call: () => Promise<unknown>): Promise<number> {
  try {
    await call();
    return 200;
  } catch (error) {
    if (error instanceof ApiException) {
      return error.code;
    }
    throw error;
  }
}

/** The claims of a service account's token. */
export function claimsOf(token: string): { sub: string; aud: string[]; exp: number; iat: number } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
