import { randomUUID } from 'node:crypto';
import type { V1RuleWithOperations } from '@kubernetes/client-node';
import type { Admin } from './admin.ts';
import { startAnsweringServer } from './answering-server.ts';

// What keeps a cluster from creating things, though the token may.

/** The quota controller, which the tests' cluster has not, would count. */
export async function useUpQuota(admin: Admin, namespace: string, resource: string): Promise<void> {
  const name = 'used-up';
  const key = `count/${resource}`;
  const made = await admin.core.createNamespacedResourceQuota({
    namespace,
    body: { metadata: { name }, spec: { hard: { [key]: '0' } } },
  });
  const status = { hard: { [key]: '0' }, used: { [key]: '0' } };
  await admin.core.replaceNamespacedResourceQuotaStatus({ namespace, name, body: { ...made, status } });
}

/** A validating webhook for one namespace. */
export interface Webhook {
  stop(): Promise<void>;
}

/** Denies what falls under the rules; with `isDown`, nothing answers at its URL. */
export async function denyingWebhook(
  admin: Admin,
  namespace: string,
  rules: V1RuleWithOperations[],
  { isDown = false }: { isDown?: boolean } = {},
): Promise<Webhook> {
  const name = `test-${randomUUID().slice(0, 8)}.leasehold.dev`;
  const found = await admin.core.readNamespace({ name: namespace });
  const labels = { ...found.metadata?.labels, 'test.leasehold.dev/webhook': name };
  await admin.core.replaceNamespace({
    name: namespace,
    body: { ...found, metadata: { ...found.metadata, labels } },
  });
  const server = await startAnsweringServer(denyAll);
  await admin.admission.createValidatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          name,
          rules,
          namespaceSelector: { matchLabels: { 'test.leasehold.dev/webhook': name } },
          clientConfig: { url: `${server.url}/deny`, caBundle: Buffer.from(server.caPem).toString('base64') },
          failurePolicy: 'Fail',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          timeoutSeconds: 2,
        },
      ],
    },
  });
  if (isDown) {
    server.stop();
  }
  return {
    async stop() {
      await admin.admission.deleteValidatingWebhookConfiguration({ name });
      server.stop();
    },
  };
}

const denyAll: Parameters<typeof startAnsweringServer>[0] = async (request, response) => {
  const { request: asked } = JSON.parse(Buffer.concat(await request.toArray()).toString());
  const status = { code: 403, reason: 'Forbidden', message: 'not on a Friday' };
  response.writeHead(200, { 'content-type': 'application/json' }).end(
    JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: asked.uid, allowed: false, status },
    }),
  );
};

/** Deleted, but its controller, which the tests' cluster has not, has not emptied it yet. */
export async function terminateNamespace(admin: Admin, name: string): Promise<void> {
  await admin.core.deleteNamespace({ name });
}

/** What the namespace controller does: all that Leasehold has to do with goes, and at last the namespace. */
export async function removeNamespace(admin: Admin, namespace: string): Promise<void> {
  await admin.core.deleteNamespace({ name: namespace });
  await admin.core.deleteCollectionNamespacedServiceAccount({ namespace });
  await admin.core.deleteCollectionNamespacedSecret({ namespace });
  await admin.rbac.deleteCollectionNamespacedRoleBinding({ namespace });
  await admin.rbac.deleteCollectionNamespacedRole({ namespace });
  const found = await admin.core.readNamespace({ name: namespace });
  await admin.core.replaceNamespaceFinalize({ name: namespace, body: { ...found, spec: { finalizers: [] } } });
}
