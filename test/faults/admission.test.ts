import type { V1Status } from '@kubernetes/client-node';
import pLimit from 'p-limit';
import { beforeAll, test } from 'vitest';
import { admissionWebhook, type WebhookAnswer, type WebhookOptions } from '../support/admission-webhook.ts';
import { DYNAMIC, STATIC } from './installation.ts';
import { beforeExpiry, type Fault, whileIssuing } from './refused-calls.ts';
import { report } from './report.ts';
import { openSite, type Site } from './site.ts';

// What stands in the way of creations and deletes inside the API server: quotas and webhooks. They say no, nothing, or lies.

const AT_ONCE = 4;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

/** A quota that is used up. Its status is what the quota controller of a whole control plane would write. */
function quota(resource: string): Pick<Fault, 'strike'> {
  return {
    async strike({ place: { admin, namespace } }) {
      const hard = { [`count/${resource}`]: '0' };
      const name = 'used-up';
      const body = { metadata: { name }, spec: { hard } };
      const made = await admin.core.createNamespacedResourceQuota({ namespace, body });
      const status = { hard, used: hard };
      await admin.core.replaceNamespacedResourceQuotaStatus({ namespace, name, body: { ...made, status } });
      // Nothing is to be put right for what is taken down.
      return async () => undefined;
    },
  };
}

const QUOTAS: [string, string, NonNullable<Fault['config']>][] = [
  ['service accounts', 'serviceaccounts', DYNAMIC],
  ['bindings', 'rolebindings.rbac.authorization.k8s.io', DYNAMIC],
  ['Secrets', 'secrets', STATIC],
];

test.concurrent.for(QUOTAS)(
  'a quota of %s is used up in the midst of issuing',
  async ([what, resource, config], context) => {
    const name = `quota of ${what} used up while issuing`;
    await report(context, [limit(() => whileIssuing(site, { ...quota(resource), name, config }))]);
  },
);

/** A webhook that stands in the way until it is taken out. */
function webhook(
  options: Pick<WebhookOptions, 'operations' | 'resources' | 'answer' | 'timeoutSeconds'>,
  isAway = false,
): Pick<Fault, 'strike'> {
  return {
    async strike({ place: { admin, namespace } }) {
      const standing = await admissionWebhook({ admin }, { ...options, namespaces: [namespace] });
      if (isAway) {
        await standing.stopListening();
      }
      return () => standing.remove();
    },
  };
}

const DENY: WebhookAnswer = { kind: 'deny', status: { message: 'not today' } };

/** In the API server's words, but not from it. */
function lie(reason: string, code: number): WebhookAnswer {
  const status: V1Status = { status: 'Failure', reason, code, message: `it is ${reason}` };
  return { kind: 'deny', status };
}

const CREATIONS = ['serviceaccounts', 'rolebindings', 'serviceaccounts/token'];
const DELETIONS = ['serviceaccounts', 'rolebindings'];

/** What a webhook does, and whether it is there at all. */
const MANNERS: [string, WebhookAnswer, { timeoutSeconds?: number; isAway?: boolean }][] = [
  ['denies', DENY, {}],
  ['times out', { kind: 'hang' }, { timeoutSeconds: 1 }],
  ['answers nonsense', { kind: 'fail', httpStatus: 200, body: 'nonsense' }, {}],
  ['breaks off', { kind: 'break' }, {}],
  ['is away', DENY, { isAway: true }],
];

const LIES_ON_CREATE: typeof MANNERS = [
  ['lies: AlreadyExists', lie('AlreadyExists', 409), {}],
  ['lies: Unauthorized', lie('Unauthorized', 401), {}],
];

const LIES_ON_DELETE: typeof MANNERS = [
  ['lies: NotFound', lie('NotFound', 404), {}],
  ['lies: Conflict', lie('Conflict', 409), {}],
  ['lies: Gone', lie('Gone', 410), {}],
];

test.concurrent.for([...MANNERS, ...LIES_ON_CREATE])(
  'a webhook on creations %s, in the midst of issuing',
  async ([how, answer, { timeoutSeconds, isAway }], context) => {
    const rows = CREATIONS.map((resource) => {
      const options = {
        operations: ['CREATE' as const],
        resources: [resource],
        answer,
        ...(timeoutSeconds && { timeoutSeconds }),
      };
      return { ...webhook(options, isAway), name: `webhook on create ${how}` };
    });
    await report(
      context,
      rows.map((row) => limit(() => whileIssuing(site, row))),
    );
  },
);

test.concurrent.for([...MANNERS, ...LIES_ON_DELETE])(
  'a webhook on deletes %s, before leases expire',
  async ([how, answer, { timeoutSeconds, isAway }], context) => {
    const rows = DELETIONS.map((resource) => {
      const options = {
        operations: ['DELETE' as const],
        resources: [resource],
        answer,
        ...(timeoutSeconds && { timeoutSeconds }),
      };
      return { ...webhook(options, isAway), name: `webhook on delete ${how}`, says: /./ };
    });
    await report(
      context,
      rows.map((row) => limit(() => beforeExpiry(site, row))),
    );
  },
);
