import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import { marksOf } from '../src/shared/domain/marks.ts';
import { planLease } from '../src/shared/domain/plan-lease.ts';
import { Secret } from '../src/shared/domain/secret.ts';
import { manifestOf, tokenRequest } from '../src/shared/kubernetes/manifests.ts';
import { pathOf } from '../src/shared/kubernetes/path-of.ts';
import { CONFIG, type Stage, TTL_SECONDS } from './stage.ts';

export type WayName = 'raw' | 'peers' | 'leasehold';

/** One issuance, from the asking to the token. */
export type Way = () => Promise<void>;

interface Post {
  path: string;
  body: object;
}

/** A post that makes an object of that name. */
type Creation = Post & { name: string };

/** The limit, the peers' pattern, and Leasehold: all make the same objects with the same marks. */
export function waysToIssue(stage: Stage): Record<WayName, Way> {
  const kept = newPool(stage, 32);
  return {
    /** Kept-alive connections, binding and token side by side, no record of anything: the limit. */
    async raw() {
      const [account, binding, token] = posts(stage);
      await send(stage, kept, account);
      await Promise.all([send(stage, kept, binding), send(stage, kept, token)]);
    },
    /** Three calls in a row, each with a TLS connection of its own. */
    async peers() {
      for (const post of posts(stage)) {
        const pool = newPool(stage, 1);
        await send(stage, pool, post);
        await pool.close();
      }
    },
    /** End to end through gRPC. */
    async leasehold() {
      await stage.client.leases.issueLease({ config: CONFIG });
    },
  };
}

export function newPool({ cluster }: Stage, connections: number): Pool {
  return new Pool(cluster.url, { connections, allowH2: false, connect: { ca: cluster.caPem } });
}

export async function send(
  { token }: Stage,
  pool: Pool,
  { method = 'POST', path, body }: Post & { method?: 'POST' | 'DELETE' },
): Promise<void> {
  const answer = await pool.request({
    method,
    path,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    // Else undici would close the connection after a delete with a body.
    reset: false,
  });
  const text = await answer.body.text();
  JSON.parse(text);
  if (answer.statusCode !== 200 && answer.statusCode !== 201) {
    throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
  }
}

/** The three calls of one lease: service account, binding, token. */
export function posts({ cluster, namespace, role, token }: Stage): [Creation, Creation, Post] {
  const lease = planLease(
    {
      name: CONFIG,
      uid: '',
      version: 1,
      createTime: 0,
      updateTime: 0,
      defaultTtlSeconds: TTL_SECONDS,
      maxTtlSeconds: TTL_SECONDS,
      audiences: [],
      labels: {},
      access: {
        kind: 'direct',
        renewToken: false,
        id: '',
        configUid: 'config',
        gateway: undefined,
        url: cluster.url,
        token: new Secret(token),
        tls: { caPem: cluster.caPem, insecureSkipVerify: false, serverName: undefined },
      },
      credential: {
        kind: 'dynamic',
        allowedNamespaces: [namespace],
        role: { kind: 'ClusterRole', name: role },
        bindingScope: 'namespace',
      },
    },
    { audiences: [], principal: 'bench' },
    { id: randomUUID(), now: Date.now(), purpose: 'lease', issueTimeoutMs: 60_000 },
  );
  const account = { namespace, name: lease.serviceAccount };
  const marks = marksOf(lease, 'bench');
  const core = { verb: 'create', apiGroup: '', resource: 'serviceaccounts', namespace } as const;
  const rbac = { verb: 'create', apiGroup: 'rbac.authorization.k8s.io', resource: 'rolebindings', namespace } as const;
  return [
    {
      name: account.name,
      path: pathOf(core),
      body: manifestOf({ kind: 'ServiceAccount', ...account }, account, marks),
    },
    {
      name: account.name,
      path: pathOf(rbac),
      body: manifestOf({ kind: 'RoleBinding', ...account, role: { kind: 'ClusterRole', name: role } }, account, marks),
    },
    {
      path: pathOf({ ...core, name: account.name, subresource: 'token' }),
      body: tokenRequest({ audiences: [], seconds: TTL_SECONDS }),
    },
  ];
}
