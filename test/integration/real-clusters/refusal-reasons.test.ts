import type { IncomingMessage, ServerResponse } from 'node:http';
import type { V1Status } from '@kubernetes/client-node';
import { Status } from 'nice-grpc';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RoleKind } from '../../../src/gen/leasehold/v1/config.ts';
import { type Lease, LeaseState } from '../../../src/gen/leasehold/v1/lease.ts';
import { REASONS, type Reason } from '../../../src/shared/domain/reasons.ts';
import { admissionWebhook, type WebhookOptions } from '../../support/admission-webhook.ts';
import { type AnsweringServer, startAnsweringServer } from '../../support/answering-server.ts';
import {
  deniedByPolicy,
  failure,
  forbidden,
  notFound,
  ROLE_BINDINGS,
  SERVICE_ACCOUNTS,
} from '../../support/api-server-words.ts';
import { eventually } from '../../support/eventually.ts';
import { type Rejection, rejectionOf } from '../../support/rejection.ts';
import { type ConfigFields, type DynamicSetup, directAccess, seconds, setUpDynamic } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// Why a cluster refused a call: each kind has a reason and an advice of its own, in the error and in last_error.

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.stop());

/** What every refusal tells, beside its own reason. */
function expectReason(rejection: Rejection, reason: Reason, words: string | RegExp): void {
  const [code, meaning, advice] = REASONS[reason];
  expect(rejection).toMatchObject({ code: Status[code], reason, retry: code !== 'FAILED_PRECONDITION' });
  expect(rejection.metadata['advice']).toBe(advice);
  expect(rejection.metadata['cluster_message']).toEqual(
    typeof words === 'string' ? words : expect.stringMatching(words),
  );
  expect(rejection.message).toContain(meaning);
  expect(rejection.message).toContain(advice);
}

describe('a real API server', () => {
  let dynamic: DynamicSetup;
  let name: string;
  const undo: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    name = `dynamic-${Math.random().toString(36).slice(2, 8)}`;
    dynamic = await setUpDynamic(world, name);
    await world.configs.createConfig({ config: dynamic.config });
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) {
      await step();
    }
  });

  const issue = () => world.leases.issueLease({ config: name, ttl: seconds(600) });

  async function webhook(options: Omit<WebhookOptions, 'namespaces'>) {
    const added = await admissionWebhook(world, { namespaces: dynamic.namespaces, ...options });
    undo.push(() => added.remove());
    return added;
  }

  /** What the quota controller of a whole control plane would write. */
  async function fillQuota(resource: string): Promise<void> {
    const [namespace] = dynamic.namespaces;
    const hard = { [`count/${resource}`]: '0' };
    const body = { metadata: { name: 'full' }, spec: { hard } };
    const made = await world.admin.core.createNamespacedResourceQuota({ namespace, body });
    await world.admin.core.replaceNamespacedResourceQuotaStatus({
      namespace,
      name: 'full',
      body: { ...made, status: { hard, used: hard } },
    });
  }

  /** Takes away what the config's token may do with a resource. */
  async function forbid(resource: string): Promise<void> {
    const { clusterRole, account } = dynamic.requester;
    const role = await world.admin.rbac.readClusterRole({ name: clusterRole });
    const rules = (role.rules ?? []).flatMap((rule) =>
      (rule.resources ?? []).filter((each) => each !== resource).map((each) => ({ ...rule, resources: [each] })),
    );
    await world.admin.rbac.replaceClusterRole({ name: clusterRole, body: { ...role, rules } });
    await world.admin.waitUntilMay(account, { verb: 'create', resource, namespace: dynamic.namespaces[0] }, false);
  }

  const deny = { kind: 'deny', status: { message: 'exceeded quota: of patience' } } as const;
  const rows: [string, Reason, RegExp, () => Promise<unknown>][] = [
    ['a quota is used up', 'CLUSTER_QUOTA_EXCEEDED', /exceeded quota: full/, () => fillQuota('serviceaccounts')],
    [
      'a quota of bindings is used up',
      'CLUSTER_QUOTA_EXCEEDED',
      /exceeded quota: full/,
      () => fillQuota('rolebindings.rbac.authorization.k8s.io'),
    ],
    [
      'a webhook denies accounts',
      'CLUSTER_WEBHOOK_DENIED',
      /denied the request: exceeded quota: of patience/,
      () => webhook({ operations: ['CREATE'], resources: ['serviceaccounts'], answer: deny }),
    ],
    [
      'a webhook denies bindings, with 500',
      'CLUSTER_WEBHOOK_DENIED',
      /denied the request/,
      () =>
        webhook({
          operations: ['CREATE'],
          resources: ['rolebindings'],
          answer: { kind: 'deny', status: { code: 500 } },
        }),
    ],
    [
      'a webhook denies tokens',
      'CLUSTER_WEBHOOK_DENIED',
      /denied the request/,
      () => webhook({ operations: ['CREATE'], resources: ['serviceaccounts/token'], answer: { kind: 'deny' } }),
    ],
    [
      'a webhook is away',
      'CLUSTER_WEBHOOK_FAILED',
      /failed calling webhook/,
      async () =>
        (await webhook({ operations: ['CREATE'], resources: ['serviceaccounts'], answer: deny })).stopListening(),
    ],
    [
      'a webhook does not answer',
      'CLUSTER_WEBHOOK_FAILED',
      /failed calling webhook/,
      () =>
        webhook({
          operations: ['CREATE'],
          resources: ['serviceaccounts/token'],
          answer: { kind: 'hang' },
          timeoutSeconds: 2,
        }),
    ],
    [
      'a webhook answers nonsense',
      'CLUSTER_WEBHOOK_FAILED',
      /failed calling webhook/,
      () =>
        webhook({ operations: ['CREATE'], resources: ['serviceaccounts'], answer: { kind: 'fail', httpStatus: 404 } }),
    ],
    ['a permission is missing', 'CLUSTER_FORBIDDEN', /cannot create resource/, () => forbid('serviceaccounts')],
    [
      'the namespace is being deleted',
      'CLUSTER_NAMESPACE_TERMINATING',
      /because it is being terminated/,
      () => world.admin.core.deleteNamespace({ name: dynamic.namespaces[0] }),
    ],
    [
      'the namespace is gone',
      'CLUSTER_NAMESPACE_NOT_FOUND',
      /namespaces "[^"]*" not found/,
      async () => {
        const namespace = await world.admin.core.deleteNamespace({ name: dynamic.namespaces[0] });
        const body = { metadata: { name: dynamic.namespaces[0] }, spec: { finalizers: [] } };
        await world.admin.core.replaceNamespaceFinalize({ name: dynamic.namespaces[0], body });
        return namespace;
      },
    ],
  ];
  test.each(rows)('%s', async (_, reason, words, breakIt) => {
    await breakIt();
    // The API server's own caches hear of it a moment later.
    await eventually(async () => expectReason(await rejectionOf(issue()), reason, words));
  });

  test('a role may not be handed out', async () => {
    const strong = await world.admin.createClusterRole([{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }]);
    const credential = dynamic.config.credential;
    const config = {
      ...dynamic.config,
      name: `${name}-2`,
      credential: { $case: 'dynamic', value: { ...(credential?.value as object), role: { kind: 2, name: strong } } },
    } as typeof dynamic.config;
    const rejection = await rejectionOf(world.configs.createConfig({ config }));
    expectReason(rejection, 'CLUSTER_ROLE_NOT_GRANTABLE', /attempting to grant RBAC permissions/);
  });

  test.each<[string, Reason, WebhookOptions['answer']]>([
    ['denies', 'CLUSTER_WEBHOOK_DENIED', { kind: 'deny' }],
    ['fails at', 'CLUSTER_WEBHOOK_FAILED', { kind: 'break' }],
  ])('a webhook %s a delete: the lease says so and is retried', async (_, reason, answer) => {
    const { lease } = await issue();
    const id = lease?.id ?? '';
    const added = await webhook({ operations: ['DELETE'], resources: ['serviceaccounts'], answer });
    expectReason(await rejectionOf(world.leases.revokeLease({ id })), reason, /webhook/);
    const { lastError, state }: Lease = await world.leases.getLease({ id });
    expect(state).toBe(LeaseState.LEASE_STATE_REVOKING);
    expect(lastError).toContain(REASONS[reason][1]);
    expect(lastError).toContain(REASONS[reason][2]);

    added.answer = { kind: 'allow' };
    await eventually(async () =>
      expect(await world.leases.getLease({ id })).toMatchObject({ state: LeaseState.LEASE_STATE_REVOKED }),
    );
  });
});

describe('answers that the API server of the tests cannot give', () => {
  let server: AnsweringServer;
  afterEach(() => server.stop());

  /** An API server that does all it is asked, but shows nothing, and answers calls of this method and path as told. */
  async function clusterThatRefuses(method: string, path: RegExp, status: number, body: V1Status): Promise<void> {
    server = await startAnsweringServer((request, response) =>
      request.method === 'GET' ? hide(response) : void answer(request, response),
    );
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const text = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
      const refused = request.method === method && path.test(request.url ?? '');
      response.writeHead(refused ? status : request.method === 'POST' ? 201 : 200, {
        'content-type': 'application/json',
      });
      response.end(JSON.stringify(refused ? body : done(request.method ?? '', JSON.parse(text))));
    };
  }

  function hide(response: ServerResponse): void {
    response.writeHead(403).end(JSON.stringify(failure(403, 'Forbidden', 'User "x" cannot get resource "roles"')));
  }

  function done(method: string, body: { metadata?: object }): object {
    const status = { allowed: true, token: 'opaque', expirationTimestamp: new Date(Date.now() + 3_600_000) };
    return method === 'DELETE'
      ? { kind: 'Status', status: 'Success' }
      : { ...body, metadata: { ...body.metadata, uid: 'uid-1' }, status };
  }

  const exists = (message: string) =>
    failure(409, 'AlreadyExists', message, { name: 'leasehold-1', kind: 'serviceaccounts' });
  const name = 'leasehold-1';
  test.each<[string, Reason, string, RegExp, number, V1Status]>([
    [
      'a policy denies accounts',
      'CLUSTER_POLICY_DENIED',
      'POST',
      /serviceaccounts$/,
      422,
      deniedByPolicy(SERVICE_ACCOUNTS, name),
    ],
    ['a policy denies tokens', 'CLUSTER_POLICY_DENIED', 'POST', /token$/, 422, deniedByPolicy(SERVICE_ACCOUNTS, name)],
    [
      'a policy denies tokens, 403',
      'CLUSTER_POLICY_DENIED',
      'POST',
      /token$/,
      403,
      deniedByPolicy(SERVICE_ACCOUNTS, name, 'Forbidden', 403),
    ],
    [
      'a policy denies bindings, 401',
      'CLUSTER_POLICY_DENIED',
      'POST',
      /bindings$/,
      401,
      deniedByPolicy(ROLE_BINDINGS, name, 'Unauthorized', 401),
    ],
    [
      'a policy denies deletes',
      'CLUSTER_POLICY_DENIED',
      'DELETE',
      /serviceaccounts/,
      422,
      deniedByPolicy(SERVICE_ACCOUNTS, name),
    ],
    [
      'an object is being deleted',
      'CLUSTER_OBJECT_BEING_DELETED',
      'POST',
      /serviceaccounts$/,
      409,
      exists(`object is being deleted: serviceaccounts "${name}" already exists`),
    ],
    [
      'a name is taken',
      'CLUSTER_NAME_TAKEN',
      'POST',
      /bindings$/,
      409,
      exists(`serviceaccounts "${name}" already exists`),
    ],
    [
      'a role does not exist',
      'CLUSTER_ROLE_NOT_FOUND',
      'POST',
      /bindings$/,
      404,
      notFound({ group: 'rbac.authorization.k8s.io', resource: 'clusterroles', kind: 'ClusterRole' }, 'view'),
    ],
    [
      'an admission plugin denies',
      'CLUSTER_ADMISSION_DENIED',
      'POST',
      /serviceaccounts$/,
      403,
      forbidden(SERVICE_ACCOUNTS, name, 'violates the rules'),
    ],
    [
      'a request is invalid',
      'CLUSTER_INVALID',
      'POST',
      /bindings$/,
      422,
      failure(422, 'Invalid', 'roleRef.name: Required value'),
    ],
    [
      'the API server is overloaded',
      'CLUSTER_OVERLOADED',
      'POST',
      /serviceaccounts$/,
      429,
      failure(429, 'TooManyRequests', 'too many requests'),
    ],
    [
      'the API server is broken',
      'CLUSTER_BROKEN',
      'POST',
      /serviceaccounts$/,
      500,
      failure(500, 'InternalError', 'etcdserver: no leader'),
    ],
    [
      'the token is dead',
      'CLUSTER_UNAUTHENTICATED',
      'POST',
      /serviceaccounts$/,
      401,
      failure(401, 'Unauthorized', 'Unauthorized'),
    ],
  ])('%s', async (_, reason, method, path, status, body) => {
    await clusterThatRefuses(method, path, status, body);
    const config: ConfigFields = {
      name: `scripted-${Math.random().toString(36).slice(2, 8)}`,
      defaultTtl: seconds(600),
      maxTtl: seconds(600),
      access: directAccess({ url: server.url, caPem: server.caPem }, 'a-token-of-the-scripted-server'),
      credential: {
        $case: 'dynamic',
        value: { allowedNamespaces: ['team'], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' } },
      },
    };
    const rejection = await rejectionOf(world.configs.createConfig({ config }));
    expectReason(rejection, reason, body.message ?? '');
  });
});
