import type { V1Status } from '@kubernetes/client-node';
import pLimit from 'p-limit';
import { beforeAll, test } from 'vitest';
import { type AdmissionWebhook, admissionWebhook } from '../support/admission-webhook.ts';
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

type WebhookOptions = Parameters<typeof admissionWebhook>[1];
type Reviewed = AdmissionWebhook['requests'][number];

/** What a webhook does. */
interface Manner extends Pick<WebhookOptions, 'timeoutSeconds'> {
  answer: WebhookOptions['answer'];
  /** Instead of that: a denial in words that seem to be the API server's, about the object that it was asked about. */
  lie?: (request: Reviewed) => V1Status;
  isAway?: boolean;
}

/** A webhook that stands in the way of these until it is taken out. */
function webhook(
  { lie, isAway = false, ...manner }: Manner,
  asked: Pick<WebhookOptions, 'operations' | 'resources'>,
): Pick<Fault, 'strike'> {
  return {
    async strike({ place: { admin, namespace } }) {
      const standing = await admissionWebhook({ admin }, { ...manner, ...asked, namespaces: [namespace] });
      if (lie) {
        const answer = () => ({ kind: 'deny', status: lie(standing.requests.at(-1) as Reviewed) });
        Object.defineProperty(standing, 'answer', { get: answer });
      }
      if (isAway) {
        await standing.stopListening();
      }
      return () => standing.remove();
    },
  };
}

const DENY: WebhookOptions['answer'] = { kind: 'deny', status: { message: 'not today' } };

/** About the object, with its name. */
function lying(code: number, reason: string, words: string): Manner {
  return {
    answer: DENY,
    lie: ({ name = '', resource: { group, resource: kind } }) => {
      const message = `${kind} ${JSON.stringify(name)} ${words}`;
      return { status: 'Failure', code, reason, message, details: { name, group, kind } };
    },
  };
}

const CREATIONS = ['serviceaccounts', 'rolebindings', 'serviceaccounts/token'];
const DELETIONS = ['serviceaccounts', 'rolebindings'];

const MANNERS: [string, Manner][] = [
  ['denies', { answer: DENY }],
  ['times out', { answer: { kind: 'hang' }, timeoutSeconds: 1 }],
  ['answers nonsense', { answer: { kind: 'fail', httpStatus: 200, body: 'nonsense' } }],
  ['breaks off', { answer: { kind: 'break' } }],
  ['is away', { answer: DENY, isAway: true }],
];

const LIES_ON_CREATE: typeof MANNERS = [
  ['lies: AlreadyExists', lying(409, 'AlreadyExists', 'already exists')],
  ['lies: Unauthorized', lying(401, 'Unauthorized', 'Unauthorized')],
];

const OTHER_UID = 'Precondition failed: UID in precondition: a, UID in object meta: b';

const LIES_ON_DELETE: typeof MANNERS = [
  ['lies: NotFound', lying(404, 'NotFound', 'not found')],
  ['lies: another uid', lying(409, 'Conflict', OTHER_UID)],
  ['lies: Gone', lying(410, 'Gone', 'is gone')],
];

test.concurrent.for([...MANNERS, ...LIES_ON_CREATE])(
  'a webhook on creations %s, in the midst of issuing',
  async ([how, manner], context) => {
    const rows = CREATIONS.map((resource) => ({
      ...webhook(manner, { operations: ['CREATE'], resources: [resource] }),
      name: `webhook on create ${how}`,
    }));
    await report(
      context,
      rows.map((row) => limit(() => whileIssuing(site, row))),
    );
  },
);

test.concurrent.for([...MANNERS, ...LIES_ON_DELETE])(
  'a webhook on deletes %s, before leases expire',
  async ([how, manner], context) => {
    const rows = DELETIONS.map((resource) => ({
      ...webhook(manner, { operations: ['DELETE'], resources: [resource] }),
      name: `webhook on delete ${how}`,
      says: /webhook/,
    }));
    await report(
      context,
      rows.map((row) => limit(() => beforeExpiry(site, row))),
    );
  },
);
