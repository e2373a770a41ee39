import { randomUUID } from 'node:crypto';
import {
  AdmissionregistrationV1Api,
  ApiException,
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  loadAllYaml,
  PatchStrategy,
  RbacAuthorizationV1Api,
  type RbacV1Subject,
  type V1PolicyRule,
  type V1ResourceAttributes,
  type V1TokenRequestSpec,
} from '@kubernetes/client-node';
import { knownSecret } from '../evidence/known-secret.ts';
import { eventually } from './eventually.ts';

export interface ClusterAddress {
  url: string;
  caPem: string;
  /** Name in its certificate, where it is not that of the URL. */
  serverName?: string;
}

/** The official client with a bearer token: an eye of its own on what Leasehold does. */
export function kubeConfigFor({ url, caPem }: ClusterAddress, token: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'cluster', server: url, caData: Buffer.from(caPem).toString('base64'), skipTLSVerify: false },
    { name: 'user', token },
  );
  return config;
}

export interface Account {
  namespace: string;
  name: string;
}

export const READ_PODS: V1PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] };

/** What an administrator of the cluster does around Leasehold. */
export class Admin {
  readonly core: CoreV1Api;
  readonly rbac: RbacAuthorizationV1Api;
  readonly authentication: AuthenticationV1Api;
  readonly authorization: AuthorizationV1Api;
  readonly admission: AdmissionregistrationV1Api;

  readonly #objects: KubernetesObjectApi;

  constructor(cluster: ClusterAddress, adminToken: string) {
    const config = kubeConfigFor(cluster, adminToken);
    this.#objects = KubernetesObjectApi.makeApiClient(config);
    this.core = config.makeApiClient(CoreV1Api);
    this.rbac = config.makeApiClient(RbacAuthorizationV1Api);
    this.authentication = config.makeApiClient(AuthenticationV1Api);
    this.authorization = config.makeApiClient(AuthorizationV1Api);
    this.admission = config.makeApiClient(AdmissionregistrationV1Api);
  }

  async createNamespace(prefix = 'test'): Promise<string> {
    const name = `${prefix}-${randomUUID().slice(0, 8)}`;
    await this.core.createNamespace({ body: { metadata: { name } } });
    return name;
  }

  /** The namespace is Terminating from here on. Without a controller manager, what is in it stays. */
  async beginDeletingNamespace(name: string): Promise<void> {
    await this.core.deleteNamespace({ name });
  }

  /**
   * `kubectl delete namespace`: all that leases and their roles consist of goes, then the namespace itself. Where the
   * control plane has no controller manager, this does what its namespace controller would.
   */
  async deleteNamespace(name: string): Promise<void> {
    await this.beginDeletingNamespace(name);
    const namespace = name;
    await Promise.all([
      this.rbac.deleteCollectionNamespacedRoleBinding({ namespace }),
      this.rbac.deleteCollectionNamespacedRole({ namespace }),
      this.core.deleteCollectionNamespacedServiceAccount({ namespace }),
      this.core.deleteCollectionNamespacedSecret({ namespace }),
    ]);
    await eventually(async () => {
      try {
        const found = await this.core.readNamespace({ name });
        await this.core.replaceNamespaceFinalize({ name, body: { ...found, spec: { finalizers: [] } } });
      } catch (error) {
        if (error instanceof ApiException && error.code === 404) {
          return;
        }
        throw error;
      }
      throw new Error(`namespace ${name} is still there`);
    });
  }

  async createServiceAccount(namespace: string, name: string): Promise<Account> {
    await this.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } });
    return { namespace, name };
  }

  async createClusterRole(rules: V1PolicyRule[]): Promise<string> {
    const name = `test-${randomUUID().slice(0, 8)}`;
    await this.rbac.createClusterRole({ body: { metadata: { name }, rules } });
    return name;
  }

  async createRole(
    namespace: string,
    rules: V1PolicyRule[],
    name = `test-${randomUUID().slice(0, 8)}`,
  ): Promise<string> {
    await this.rbac.createNamespacedRole({ namespace, body: { metadata: { name }, rules } });
    return name;
  }

  async bindClusterRole(role: string, account: Account): Promise<void> {
    await this.rbac.createClusterRoleBinding({
      body: {
        metadata: { name: `test-${randomUUID().slice(0, 8)}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [subjectOf(account)],
      },
    });
  }

  async bindRole(namespace: string, role: string, account: Account): Promise<void> {
    await this.rbac.createNamespacedRoleBinding({
      namespace,
      body: {
        metadata: { name: `test-${randomUUID().slice(0, 8)}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
        subjects: [subjectOf(account)],
      },
    });
  }

  /** What `kubectl apply --server-side` does. */
  async apply(manifest: string): Promise<void> {
    for (const object of loadAllYaml(manifest)) {
      await this.#objects.patch(object, undefined, undefined, 'leasehold-test', true, PatchStrategy.ServerSideApply);
    }
  }

  /** Waits until the authorizer, which hears of roles and bindings a moment later, answers so about an account. */
  async waitUntilMay(account: Account, attributes: V1ResourceAttributes, may = true): Promise<void> {
    const user = `system:serviceaccount:${account.namespace}:${account.name}`;
    const body = { spec: { user, resourceAttributes: attributes } };
    await eventually(
      async () => {
        const { status } = await this.authorization.createSubjectAccessReview({ body });
        if (status?.allowed !== may) {
          throw new Error(`${user} ${may ? 'may not yet' : 'still may'}: ${JSON.stringify(attributes)}`);
        }
      },
      { everyMs: 10 },
    );
  }

  /** A token of an account, as an administrator would make one for Leasehold. */
  async mintToken({ namespace, name }: Account, spec: Partial<V1TokenRequestSpec> = {}): Promise<string> {
    const answer = await this.core.createNamespacedServiceAccountToken({
      namespace,
      name,
      body: { spec: { audiences: [], expirationSeconds: 4 * 3600, ...spec } },
    });
    return knownSecret(answer.status?.token ?? '');
  }

  /** Names of all objects in the whole cluster that carry Leasehold's label, of one installation or of any. */
  async leaseholdObjects(installation?: string): Promise<string[]> {
    const labelSelector = [
      'app.kubernetes.io/managed-by=leasehold',
      ...(installation ? [`leasehold.dev/installation=${installation}`] : []),
    ].join(',');
    const lists = await Promise.all([
      this.core.listServiceAccountForAllNamespaces({ labelSelector }),
      this.rbac.listRoleBindingForAllNamespaces({ labelSelector }),
      this.rbac.listClusterRoleBinding({ labelSelector }),
      this.core.listSecretForAllNamespaces({ labelSelector }),
    ]);
    return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata?.name ?? ''));
  }
}

function subjectOf({ namespace, name }: Account): RbacV1Subject {
  return { kind: 'ServiceAccount', namespace, name };
}
