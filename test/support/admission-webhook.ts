import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { V1RuleWithOperations, V1Status } from '@kubernetes/client-node';
import type { Admin } from './admin.ts';
import { cert, key } from './answering-server.ts';
import { eventually } from './eventually.ts';

/** What the webhook does with a request that it is asked about. */
type WebhookAnswer =
  | { kind: 'allow' }
  /** Says no, in these words; the API server puts its own before the message and keeps the rest. */
  | { kind: 'deny'; status?: V1Status }
  /** Never answers: the API server gives up after `timeoutSeconds`. */
  | { kind: 'hang' }
  /** Answers something that is no AdmissionReview. */
  | { kind: 'fail'; httpStatus: number; body?: unknown }
  /** Breaks the connection off. */
  | { kind: 'break' };

/** A request as the webhook is shown it (admission.k8s.io/v1). */
interface ReviewedRequest {
  uid: string;
  operation: string;
  namespace?: string;
  name?: string;
  resource: { group: string; resource: string };
  subResource?: string;
}

export interface WebhookOptions {
  /** It is asked about nothing in others. */
  namespaces: readonly string[];
  operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
  /** As rules have them: `serviceaccounts`, `serviceaccounts/token`, `rolebindings`; of any group. */
  resources: readonly string[];
  answer: WebhookAnswer;
  /** What the API server waits for an answer. Default: 10. */
  timeoutSeconds?: number;
}

export interface AdmissionWebhook {
  name: string;
  /** May be replaced at any time. */
  answer: WebhookAnswer;
  /** What it was asked about so far. */
  requests: ReviewedRequest[];
  /** Nothing listens any more: the API server's calls are refused. */
  stopListening(): Promise<void>;
  /** Takes it out of the API server, and returns when that has heard of it. */
  remove(): Promise<void>;
}

/** A ConfigMap of this name is made in dry runs only: it shows whether the API server has heard of the webhook. */
const PROBE = 'admission-webhook-probe';

/**
 * A real ValidatingWebhookConfiguration, and the server behind it. Returns when the API server asks it in all of these
 * namespaces. It works where the API server reaches loopback, so not for one in a container.
 */
export async function admissionWebhook(
  { admin }: { admin: Admin },
  options: WebhookOptions,
): Promise<AdmissionWebhook> {
  const { namespaces, operations, resources, timeoutSeconds = 10 } = options;
  const name = `webhook-${randomUUID().slice(0, 8)}.test.leasehold.dev`;
  const label = `${name}/asked`;
  const requests: ReviewedRequest[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    void json(request).then((review) => answerReview((review as { request: ReviewedRequest }).request, response));
  });
  const answerReview = (request: ReviewedRequest, response: ServerResponse) => {
    if (request.name === PROBE) {
      respond({ kind: 'deny' }, request, response);
      return;
    }
    requests.push(request);
    respond(webhook.answer, request, response);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const isAsked = (namespace: string) =>
    admin.core.createNamespacedConfigMap({ namespace, body: { metadata: { name: PROBE } }, dryRun: 'All' }).then(
      () => false,
      (error: { code?: number }) => error.code === 403 || error.code === 400 || error.code === 500,
    );
  const untilAsked = (asked: boolean) =>
    eventually(async () => {
      const answers = await Promise.all(namespaces.map(isAsked));
      if (answers.some((answer) => answer !== asked)) {
        throw new Error(`the API server has not heard yet that the webhook is ${asked ? 'there' : 'gone'}`);
      }
    });
  const addLabel = async (namespace: string) => {
    const { metadata } = await admin.core.readNamespace({ name: namespace });
    const labels = { ...metadata?.labels, [label]: 'true' };
    await admin.core.patchNamespace({
      name: namespace,
      body: [{ op: 'add', path: '/metadata/labels', value: labels }],
    });
  };
  const stopListening = async () => {
    if (server.listening) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  };
  const webhook: AdmissionWebhook = {
    name,
    answer: options.answer,
    requests,
    stopListening,
    async remove() {
      await admin.admission.deleteValidatingWebhookConfiguration({ name });
      await untilAsked(false);
      await stopListening();
    },
  };

  await Promise.all(namespaces.map(addLabel));
  const rule = (rest: Pick<V1RuleWithOperations, 'operations' | 'resources'>): V1RuleWithOperations => ({
    apiGroups: ['*'],
    apiVersions: ['*'],
    scope: 'Namespaced',
    ...rest,
  });
  await admin.admission.createValidatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          name,
          clientConfig: { url, caBundle: Buffer.from(cert).toString('base64') },
          namespaceSelector: { matchLabels: { [label]: 'true' } },
          rules: [
            rule({ operations: [...operations], resources: [...resources] }),
            rule({ operations: ['CREATE'], resources: ['configmaps'] }),
          ],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          failurePolicy: 'Fail',
          timeoutSeconds,
        },
      ],
    },
  });
  await untilAsked(true);
  return webhook;
}

function respond(answer: WebhookAnswer, { uid }: ReviewedRequest, response: ServerResponse): void {
  switch (answer.kind) {
    case 'hang':
      return;
    case 'break':
      response.socket?.destroy();
      return;
    case 'fail':
      response.writeHead(answer.httpStatus, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body ?? {}));
      return;
    default: {
      const verdict =
        answer.kind === 'allow'
          ? { allowed: true }
          : { allowed: false, ...(answer.status && { status: answer.status }) };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...verdict } }),
      );
    }
  }
}
