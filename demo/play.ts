import type { DeepPartial } from '../src/gen/leasehold/v1/config_service.ts';
import { LeaseState } from '../src/gen/leasehold/v1/lease.ts';
import type { IssueLeaseRequest, IssueLeaseResponse } from '../src/gen/leasehold/v1/lease_service.ts';
import { eventually } from '../test/support/eventually.ts';
import { setUpDynamic, setUpStatic } from '../test/support/set-ups.ts';
import {
  authenticationStatus,
  listPodsStatus,
  listSecretsStatus,
  waitForPodsStatus,
} from '../test/support/token-use.ts';
import type { Narrator } from './narrator.ts';
import type { Stage } from './stage.ts';
import { endingOf, traceTree } from './trace-tree.ts';

/** Short, so that one need not wait; Kubernetes itself mints no token for less than 10 minutes. */
const DYNAMIC_TTL_SECONDS = 8n;

/** The API server remembers a good token for 10 s. */
const TOKEN_CACHE_MS = 15_000;

/** Plays the main job and returns its figures. Throws at the first thing that is not as it should be. */
export async function play(stage: Stage, tell: Narrator): Promise<Record<string, number>> {
  tell.chapter('A namespace, accounts for Leasehold, and two configs with their tokens');
  const namespace = await stage.admin.createNamespace('demo');
  await createConfigs(stage, tell, namespace);

  tell.chapter('A static lease: a token of a service account that exists');
  const fixed = await issue(stage, { config: 'static-reader' });
  tell.say(`lease ${fixed.lease.id} on ${fixed.credential.serviceAccount}, until ${fixed.until}`);
  await showPowers(stage, tell, fixed.credential.token, namespace);

  tell.chapter(`A dynamic lease of ${DYNAMIC_TTL_SECONDS} s: a service account of its own, bound to a ClusterRole`);
  const asked = performance.now();
  const short = await issue(stage, { config: 'dynamic-reader', ttl: { seconds: DYNAMIC_TTL_SECONDS } });
  const issueMs = Math.round(performance.now() - asked);
  tell.say(`lease ${short.lease.id}, issued in ${issueMs} ms, until ${short.until}`);
  for (const { kind, name } of short.lease.objects) {
    tell.say(`  made for it: ${kind} ${name}`);
  }
  await showPowers(stage, tell, short.credential.token, namespace);

  tell.chapter('Waiting for its end');
  const expiryLagMs = await watchExpiry(stage, tell, short, namespace);
  await showTrace(stage, tell, short.lease.id);
  return { checks: tell.checks, issue_ms: issueMs, expiry_lag_ms: expiryLagMs };
}

async function createConfigs(stage: Stage, tell: Narrator, namespace: string): Promise<void> {
  const fixed = await setUpStatic(stage, 'static-reader', { namespace });
  tell.say(`namespace ${namespace}; account ${fixed.requester.account.name} with the documented static RBAC, no more`);
  await stage.client.configs.createConfig({ config: fixed.config });
  tell.say('config static-reader: tried on the cluster, then stored');

  const dynamic = await setUpDynamic(stage, 'dynamic-reader', { namespace });
  tell.say(`account ${dynamic.requester.account.name} with the documented dynamic RBAC and the role that it hands out`);
  await stage.client.configs.createConfig({ config: dynamic.config });
  tell.say('config dynamic-reader: tried on the cluster, then stored');
  tell.check('objects that the trials left behind', (await stage.admin.leaseholdObjects()).length, [0]);
}

type Issued = Required<{ [K in keyof IssueLeaseResponse]: NonNullable<IssueLeaseResponse[K]> }> & { until: string };

async function issue({ client }: Stage, request: DeepPartial<IssueLeaseRequest>): Promise<Issued> {
  const { lease, credential } = await client.leases.issueLease(request);
  if (!lease || !credential) {
    throw new Error('the answer to IssueLease lacks its lease or its credential');
  }
  return { lease, credential, until: lease.expireTime?.toISOString() ?? '' };
}

async function showPowers({ cluster }: Stage, tell: Narrator, token: string, namespace: string): Promise<void> {
  const allowed = await waitForPodsStatus(cluster, token, namespace, 200);
  tell.check('list pods, which the role allows', allowed, [200]);
  tell.check('list secrets, which it does not', await listSecretsStatus(cluster, token, namespace), [403]);
  tell.check('list pods in another namespace', await listPodsStatus(cluster, token, 'default'), [403]);
}

/** Returns how many milliseconds after its end the lease was taken down. */
async function watchExpiry(
  { admin, client, cluster }: Stage,
  tell: Narrator,
  { lease, credential }: Issued,
  namespace: string,
): Promise<number> {
  const ended = await eventually(async () => {
    const current = await client.leases.getLease({ id: lease.id });
    if (!current.endTime) {
      throw new Error(`lease ${lease.id} has not ended`);
    }
    return current;
  });
  tell.check('the lease has expired', ended.state === LeaseState.LEASE_STATE_EXPIRED, [true]);
  const lag = (ended.endTime?.getTime() ?? 0) - (ended.expireTime?.getTime() ?? 0);
  tell.say(`taken down ${lag} ms after its time`);
  const refused = await waitForPodsStatus(cluster, credential.token, namespace, 401, 403);
  tell.check('its token lists pods', refused, [401, 403]);
  tell.check('objects of leases in the cluster', (await admin.leaseholdObjects()).length, [0]);
  const status = await eventually(
    async () => {
      const seen = await authenticationStatus(cluster, credential.token);
      if (seen !== 401) {
        throw new Error(`the API server still knows the token (${seen})`);
      }
      return seen;
    },
    { withinMs: TOKEN_CACHE_MS },
  );
  tell.check("its token after the API server's 10 s cache", status, [401]);
  return lag;
}

async function showTrace({ collector }: Stage, tell: Narrator, leaseId: string): Promise<void> {
  tell.chapter('The trace of that lease: its issue, and, linked to it, its end');
  const ending = await eventually(async () => {
    const span = endingOf(leaseId, collector.spans);
    if (!span) {
      throw new Error(`no span of the end of lease ${leaseId} has arrived`);
    }
    return span;
  });
  const [link] = ending.links;
  const issuance = collector.spans.find(({ spanId }) => spanId === link?.spanId);
  if (!issuance) {
    throw new Error('the span of the end is not linked to one of an issue');
  }
  for (const [title, root] of [
    ['issue', issuance],
    ['end', ending],
  ] as const) {
    tell.say(`${title}: trace ${root.traceId}`);
    for (const line of traceTree(root, collector.spans)) {
      tell.say(`  ${line}`);
    }
  }
  const steps = collector.spans.filter(({ traceId }) => traceId === issuance.traceId).map(({ name }) => name);
  for (const step of ['lease.record', 'kubernetes create serviceaccounts/token', 'lease.activate']) {
    tell.check('the issue shows', steps.find((name) => name === step) ?? 'nothing', [step]);
  }
}
