import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { askPermissions, refuseLacking } from '../../src/shared/configs/ask-permissions.ts';
import { dryRunCreations } from '../../src/shared/configs/dry-run-creations.ts';
import { lookAtObjects } from '../../src/shared/configs/named-objects.ts';
import type { Config, DirectAccess } from '../../src/shared/domain/config.ts';
import { permissionsFor } from '../../src/shared/domain/permissions.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import { sampleConfig } from '../contract/samples.ts';
import { noGateways } from '../fakes/no-gateways.ts';
import { deniedByPolicy, forbidden, ROLE_BINDINGS, SERVICE_ACCOUNTS } from '../support/api-server-words.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { type ScriptedAnswer, type ScriptedCluster, startScriptedCluster } from '../support/scripted-cluster.ts';

// A policy or a webhook chooses the HTTP status of its refusal. It is asked only once the token was let in and authorized.

const limits = { connections: 4, connectTimeoutMs: 5_000, callTimeoutMs: 5_000 };
const clusters = new KubernetesClusters(limits, noGateways, testEgress, keepLog().log);
afterAll(() => clusters.close());

let scripted: ScriptedCluster;
let access: DirectAccess;
// One for each test: a cluster that breaks is given a rest.
beforeEach(async () => {
  scripted = await startScriptedCluster();
  const tls = { caPem: scripted.caPem, serverName: undefined, insecureSkipVerify: false };
  access = { ...sampleConfig('scripted').access, url: scripted.url, tls };
  return () => scripted.stop();
});

const STATIC: Config['credential'] = {
  kind: 'static',
  namespace: 'team',
  serviceAccount: 'reader',
  revocable: false,
};
const DYNAMIC: Config['credential'] = {
  kind: 'dynamic',
  allowedNamespaces: ['team'],
  role: { kind: 'ClusterRole', name: 'view' },
  bindingScope: 'namespace',
};
const configOn = (credential: Config['credential']) => sampleConfig('scripted', { access, credential });

/** The cluster while it answers so to what begins with these words. */
function clusterWhere(what: string, answer: ScriptedAnswer) {
  scripted.play((call) => (call.what.startsWith(what) ? answer : undefined));
  return clusters.at(access, ANY_USE);
}

const byPolicy = (status: number, reason: string): ScriptedAnswer => ({
  status,
  body: deniedByPolicy(SERVICE_ACCOUNTS, 'x', reason, status),
});
const byWebhook = (status: number, why = 'no'): ScriptedAnswer => ({
  status,
  body: { ...byPolicy(status, '').body, message: `admission webhook "w" denied the request: ${why}` },
});
const REFUSALS: [string, ScriptedAnswer][] = [
  ['a policy, with 401', byPolicy(401, 'Unauthorized')],
  ['a policy, with 403', byPolicy(403, 'Forbidden')],
  ['a webhook, with 401', byWebhook(401)],
  ['a webhook, with 403', byWebhook(403)],
  ['a webhook, with 429', byWebhook(429)],
  ['a webhook, with 503', byWebhook(503)],
];

describe('by admission', () => {
  test.each(REFUSALS)('all that is created, questions as well: what can be tried counts: %s', async (_, answer) => {
    const answers = await askPermissions(clusterWhere('create', answer), permissionsFor(DYNAMIC));
    expect(answers.filter(({ allowed }) => !allowed)).toEqual([]);
    expect(answers.every(({ isUnasked }) => isUnasked)).toBe(true);
  });

  test.each(REFUSALS)('a deletion that is tried, which the token may do: %s', async (_, answer) => {
    scripted.play(({ what }) => (/^delete|selfsubject/.test(what) ? answer : undefined));
    const answers = await askPermissions(clusters.at(access, ANY_USE), permissionsFor(DYNAMIC));
    expect(answers.filter(({ allowed }) => !allowed)).toEqual([]);
  });

  test.each(REFUSALS)('a token of a static credential: %s', async (_, answer) => {
    expect(await dryRunCreations(clusterWhere('create serviceaccounts/token', answer), configOn(STATIC))).toEqual([
      expect.stringMatching(/admission (?:policy|webhook) denied the call/),
    ]);
  });

  test.each(REFUSALS)('a look at an object: %s', async (_, answer) => {
    expect(await lookAtObjects(clusterWhere('get', answer), DYNAMIC)).toMatchObject([
      { state: 'not looked at', detail: expect.stringMatching(/admission (?:policy|webhook) denied the call/) },
    ]);
  });

  test('a binding, in words of the API server about roles', async () => {
    const answer = byWebhook(403, 'attempting to grant RBAC permissions not currently held');
    expect(await dryRunCreations(clusterWhere('create rolebindings', answer), configOn(DYNAMIC))).toEqual([
      expect.stringContaining('refuses to create a RoleBinding'),
    ]);
  });
});

describe('by authorization', () => {
  test('a binding to a role that the token may not hand out', async () => {
    const why = 'user "leasehold" (groups=["a"]) is attempting to grant RBAC permissions not currently held:\n{}';
    const cluster = clusterWhere('create rolebindings', { status: 403, body: forbidden(ROLE_BINDINGS, 'x', why) });
    await expect(dryRunCreations(cluster, configOn(DYNAMIC))).rejects.toMatchObject({
      reason: 'CLUSTER_ROLE_NOT_GRANTABLE',
    });
  });

  test('a deletion that is tried', async () => {
    const why = 'User "leasehold" cannot delete resource "serviceaccounts" in API group "" in the namespace "team"';
    const answer = { status: 403, body: forbidden(SERVICE_ACCOUNTS, 'x', why) };
    scripted.play(({ what }) => (/^delete|selfsubject/.test(what) ? answer : undefined));
    const answers = await askPermissions(clusters.at(access, ANY_USE), permissionsFor(DYNAMIC));
    const lacking = answers.filter(({ allowed }) => !allowed);
    expect(lacking.map(({ verb }) => verb)).toEqual(['delete', 'delete']);
    expect(() => refuseLacking(lacking)).toThrow(/^(?:(?!CheckConfig).)*`CheckConfig` prints the manifest$/);
  });
});
