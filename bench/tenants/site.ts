import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import pLimit from 'p-limit';
import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { makeApiKey } from '../../src/shared/domain/api-key.ts';
import { makeTempFolder } from '../../test/servers/temp-folder.ts';
import type { ClusterAddress } from '../../test/support/admin.ts';
import { TEST_NETWORKS } from '../../test/support/egress.ts';
import { connectTo, type LeaseholdClient } from '../../test/support/leasehold.ts';
import { type LeaseholdProcess, type Role, spawnLeasehold } from '../../test/support/leasehold-process.ts';
import { apiKeyEntry, callersYaml, SECURE, type Showing } from '../../test/support/security.ts';
import { directAccess, seconds } from '../../test/support/set-ups.ts';
import { entryOf, OTHER_CHECKOUT } from '../checkout.ts';
import { makeRequester, type Stage } from '../stage.ts';
import { startProxy, type TokenProxy } from './proxy.ts';

// One installation with the settings that Leasehold ships with, and two tenants on one API server: each has a namespace, an
// account in the cluster, its own configs, and its own credentials at Leasehold.

const AUDIENCE = 'leasehold';

export interface Tenant {
  client: LeaseholdClient;
  /** Token of its account in the cluster. */
  token: string;
  namespace: string;
  group: string;
}

export interface Site extends AsyncDisposable {
  address: string;
  server: LeaseholdProcess;
  proxy: TokenProxy;
  operator: LeaseholdClient;
  victim: Tenant;
  attacker: Tenant;
  /** The victim, with tokens that the server has not seen lately: its answers to those that it has are kept for 10 s. */
  victimByNewTokens: LeaseholdClient;
  /** API keys of the attackers: `attackers`, `auditors`, and `admins`, who write configs. */
  keys: { attacker: string; auditor: string; writer: string };
  /** Issuer of the tokens that the server asks the cluster about. */
  issuer: string;
  /** Stores a config of that tenant on the cluster at that URL. Default: one namespace, its own. */
  createConfig(tenant: Tenant, name: string, cluster: ClusterAddress, namespaces?: readonly string[]): Promise<void>;
}

/** More than the calls that are made with them in 10 s. */
const NEW_TOKENS = 300;

const REVIEW = { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] };

/**
 * Starts server and worker, of `LEASEHOLD_BENCH_CHECKOUT` where that is set. The victim shows the token of a service account,
 * because its TokenReview is what a flood of forged tokens competes for.
 */
export async function openSite(stage: Stage): Promise<Site> {
  await using opened = new AsyncDisposableStack();
  const { admin, cluster } = stage;
  const proxy = startProxy(cluster);
  opened.defer(async () => void (await proxy.stop()));
  const folder = opened.use(disposable(await makeTempFolder('tenants')));

  const reviewer = await admin.createServiceAccount(await admin.createNamespace('reviewer'), 'reviewer');
  await admin.bindClusterRole(await admin.createClusterRole([REVIEW]), reviewer);
  const callers = await admin.createNamespace('callers');
  const caller = await admin.createServiceAccount(callers, 'victim');
  const mint = pLimit(16);
  const newTokens = await Promise.all(
    Array.from({ length: NEW_TOKENS }, () => mint(() => admin.mintToken(caller, { audiences: [AUDIENCE] }))),
  );
  const callerToken = await admin.mintToken(caller, { audiences: [AUDIENCE] });
  const issuer = decodeJwt(callerToken).iss ?? '';
  const keys = { attacker: makeApiKey('attacker'), auditor: makeApiKey('auditor'), writer: makeApiKey('writer') };
  await writeFile(join(folder.path, 'ca.pem'), cluster.caPem);
  await writeFile(join(folder.path, 'reviewer.token'), await admin.mintToken(reviewer));
  const tokenReview = { url: cluster.url, caFile: 'ca.pem', tokenFile: 'reviewer.token' };
  const callersFile = join(folder.path, 'callers.yaml');
  await writeFile(
    callersFile,
    callersYaml(
      {
        clusters: [{ name: 'bench', issuer, audiences: [AUDIENCE], tokenReview }],
        groups: { victims: [`serviceaccount:bench/${callers}/victim`] },
      },
      [
        apiKeyEntry(keys.attacker, 'attacker', ['attackers']),
        apiKeyEntry(keys.auditor, 'auditor', ['auditors']),
        apiKeyEntry(keys.writer, 'writer', ['admins']),
      ],
    ),
  );
  const environment = {
    ...SECURE,
    LEASEHOLD_CALLERS: callersFile,
    LEASEHOLD_LISTEN: '127.0.0.1:0',
    LEASEHOLD_REDIS_URL: stage.redisUrl,
    LEASEHOLD_SEAL_KEY: randomBytes(32).toString('base64'),
    LEASEHOLD_INSTALLATION: `tenants-${randomBytes(4).toString('hex')}`,
    LEASEHOLD_ALLOWED_NETWORKS: TEST_NETWORKS,
  };
  const start = async (role: Role, message: string) => {
    const process = spawnLeasehold(role, environment, { entry: entryOf(role, OTHER_CHECKOUT) });
    opened.defer(async () => void (await process.stop()));
    const { address = '' } = await process.logged(message);
    process.ignoreLogs();
    return { process, address };
  };
  await start('worker', 'working');
  const { process: server, address } = await start('server', 'serving');

  const connect = (bearer?: Showing['bearer']) => {
    const client = connectTo(address, bearer === undefined ? undefined : { bearer });
    opened.defer(async () => client.close());
    return client;
  };
  const tenant = async (group: string, bearer: string): Promise<Tenant> => ({
    client: connect(bearer),
    token: (await makeRequester(admin, stage.role)).token,
    namespace: await admin.createNamespace(group),
    group,
  });
  const operator = connect();
  let calls = 0;
  const victimByNewTokens = connect(() => newTokens[calls++ % NEW_TOKENS] ?? callerToken);
  const victim = await tenant('victims', callerToken);
  const attacker = await tenant('attackers', keys.attacker.reveal());
  const running = opened.move();
  return {
    address,
    server,
    proxy,
    operator,
    victim,
    victimByNewTokens,
    attacker,
    keys: { attacker: keys.attacker.reveal(), auditor: keys.auditor.reveal(), writer: keys.writer.reveal() },
    issuer,
    async createConfig({ token, namespace, group }, name, at, namespaces = [namespace]) {
      await operator.configs.createConfig({
        config: {
          name,
          defaultTtl: seconds(3600),
          maxTtl: seconds(3600),
          labels: { 'leasehold.dev/issuers': group },
          access: directAccess(at, token),
          credential: {
            $case: 'dynamic',
            value: {
              allowedNamespaces: [...namespaces],
              role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: stage.role },
            },
          },
        },
      });
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function disposable<T extends { remove(): Promise<void> }>(folder: T): T & AsyncDisposable {
  return Object.assign(folder, { [Symbol.asyncDispose]: () => folder.remove() });
}
