import { Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RoleKind } from '../../../src/gen/leasehold/v1/config.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { refusal, type Script, type ScriptedCluster, startScriptedCluster } from '../../support/scripted-cluster.ts';
import { type ConfigFields, directAccess, seconds } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// A cluster token is replaced where the cluster does not answer what it may do, or refuses creations in ways that the
// tests' own API server does not know.

let world: World;
let cluster: ScriptedCluster;
beforeAll(async () => {
  world = await openWorld({ LEASEHOLD_CLUSTER_CALL_TIMEOUT: '1' });
});
afterAll(() => world.stop());
beforeEach(async () => {
  cluster = await startScriptedCluster();
  return () => cluster.stop();
});

const OLD = 'the-old-cluster-token';
const NEW = 'the-new-cluster-token';

const DYNAMIC: ConfigFields['credential'] = {
  $case: 'dynamic',
  value: {
    allowedNamespaces: ['one', 'two'],
    role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' },
  },
};
const STATIC: ConfigFields['credential'] = {
  $case: 'static',
  value: { namespace: 'one', serviceAccount: 'deployer' },
};

let count = 0;

/** A config on the cluster while it is well; what becomes of its token once the cluster plays that script. */
async function rotateWhile(script: Script, credential = DYNAMIC) {
  const name = `scripted-${++count}`;
  const config = { name, defaultTtl: seconds(600), maxTtl: seconds(600), credential };
  await world.configs.createConfig({ config: { ...config, access: directAccess(cluster, OLD) } });
  // The token before is dead.
  cluster.play((call) => (call.token === OLD ? refusal(401, 'Unauthorized', 'Unauthorized') : script(call)));
  cluster.calls.length = 0;
  const access = directAccess(cluster, NEW);
  return world.configs.updateConfig({ config: { name, access }, updateMask: ['direct.token'] });
}

const isCreate = (what: string) => what.startsWith('create') && what !== 'create selfsubjectaccessreviews';

const reviews =
  (answer: ReturnType<Script>): Script =>
  ({ what }) =>
    what === 'create selfsubjectaccessreviews' ? answer : undefined;

describe('accepted, and told', () => {
  const CASES: [what: string, Script, warning: RegExp, credential?: ConfigFields['credential']][] = [
    [
      'where a ValidatingAdmissionPolicy denies creations',
      ({ what }) => (isCreate(what) ? refusal(422, 'Invalid', "ValidatingAdmissionPolicy 'p' denied it") : undefined),
      /ValidatingAdmissionPolicy 'p' denied it/,
    ],
    [
      'where a ValidatingAdmissionPolicy denies tokens',
      ({ what }) => (what.endsWith('/token') ? refusal(422, 'Invalid', "ValidatingAdmissionPolicy 'p'") : undefined),
      /ValidatingAdmissionPolicy 'p'/,
      STATIC,
    ],
    [
      'where creations hang',
      ({ what }) => (isCreate(what) ? 'hang' : undefined),
      /create serviceaccounts in namespace "one": no answer/,
    ],
    [
      'where creations are throttled',
      ({ what }) => (isCreate(what) ? refusal(429, 'TooManyRequests', 'later') : undefined),
      /429 later/,
    ],
    ['where nobody may ask what they may do', reviews(refusal(403, 'Forbidden', 'no')), /SelfSubjectAccessReviews/],
    ['where the API of such questions is off', reviews(refusal(404, 'NotFound', 'no')), /SelfSubjectAccessReviews/],
    [
      'where all that is created hangs, the questions as well',
      ({ what }) => (what.startsWith('create') ? 'hang' : undefined),
      /SelfSubjectAccessReviews.*no answer/,
    ],
    [
      'where a webhook for all that is created denies the questions as well',
      ({ what }) => (what.startsWith('create') ? refusal(403, 'Forbidden', 'admission webhook "w" denied') : undefined),
      /SelfSubjectAccessReviews.*admission webhook "w" denied/,
    ],
    [
      'where a webhook for all that is created is down',
      ({ what }) => (what.startsWith('create') ? refusal(500, 'InternalError', 'failed calling webhook') : undefined),
      /SelfSubjectAccessReviews.*failed calling webhook/,
    ],
    [
      'where a webhook for all that is created is down, and the credential is static',
      ({ what }) => (what.startsWith('create') ? refusal(500, 'InternalError', 'failed calling webhook') : undefined),
      /SelfSubjectAccessReviews.*failed calling webhook/,
      STATIC,
    ],
  ];

  test.each(CASES)('%s', async (_, script, warning, credential) => {
    const { warnings } = await rotateWhile(script, credential);
    expect(warnings.join('; ')).toMatch(warning);
    // Nothing was created in earnest but the token of a static credential, which is handed out by nobody.
    const created = cluster.calls.filter(({ what, isDryRun }) => isCreate(what) && !isDryRun);
    expect(created.map(({ what }) => what)).toEqual(credential ? ['create serviceaccounts/token'] : []);
  });

  test('a cluster that hangs is not asked over and over', async () => {
    await rotateWhile(({ what }) => (isCreate(what) ? 'hang' : undefined));
    expect(cluster.calls.filter(({ what }) => isCreate(what)).length).toBeLessThanOrEqual(4);
  });
});

describe('CheckConfig of a cluster that answers no questions', () => {
  const check = (script: Script, credential = DYNAMIC) => {
    cluster.play(script);
    const config = { name: 'unasked', defaultTtl: seconds(600), maxTtl: seconds(600), credential };
    const value = { ...config, access: directAccess(cluster, NEW) };
    return world.configs.checkConfig({ target: { $case: 'config', value } });
  };

  test.each<[string, ReturnType<Script>]>([
    ['403', refusal(403, 'Forbidden', 'no')],
    ['404', refusal(404, 'NotFound', 'no')],
    ['hangs', 'hang'],
  ])('tells so, and counts what cannot be tried as allowed: %s', async (_, answer) => {
    const { permissions, allAllowed } = await check(reviews(answer));
    expect(allAllowed).toBe(true);
    expect(permissions.every(({ reason }) => reason.includes('SelfSubjectAccessReviews'))).toBe(true);
  });

  test('tells what the token may not delete', async () => {
    const script: Script = ({ what }) =>
      what.includes('selfsubject') || what.startsWith('delete') ? refusal(403, 'Forbidden', 'no') : undefined;
    const { permissions, allAllowed } = await check(script);
    expect(allAllowed).toBe(false);
    expect(new Set(permissions.filter(({ allowed }) => !allowed).map(({ verb }) => verb))).toEqual(new Set(['delete']));
  });

  test('reads no service account in the place of a Role', async () => {
    const role = { kind: RoleKind.ROLE_KIND_ROLE, name: 'viewer' };
    await check(reviews(refusal(403, 'Forbidden', 'no')), {
      $case: 'dynamic',
      value: { allowedNamespaces: ['one'], role },
    });
    expect(cluster.calls.map(({ what }) => what)).not.toContain('get serviceaccounts');
  });

  test('fails where the token is not let in', async () => {
    const checking = check(() => refusal(401, 'Unauthorized', 'Unauthorized'));
    expect(await rejectionOf(checking)).toMatchObject({ reason: 'CLUSTER_UNAUTHENTICATED' });
  });
});

describe('refused', () => {
  test.each<[string, Script, object, ConfigFields['credential']?]>([
    [
      'where the token is not let in',
      () => refusal(401, 'Unauthorized', 'Unauthorized'),
      { code: Status.FAILED_PRECONDITION, reason: 'CLUSTER_UNAUTHENTICATED' },
    ],
    [
      'where the token may not delete, and the questions are not answered',
      ({ what }) =>
        what.includes('selfsubject') || what.startsWith('delete') ? refusal(403, 'Forbidden', 'no') : undefined,
      { reason: 'CLUSTER_FORBIDDEN', metadata: { verb: 'delete' } },
    ],
    [
      'where the token may not read the account, and the questions are not answered',
      ({ what }) =>
        what.includes('selfsubject') || what.startsWith('get') ? refusal(403, 'Forbidden', 'no') : undefined,
      { reason: 'CLUSTER_FORBIDDEN', metadata: { verb: 'get', resource: 'serviceaccounts' } },
      STATIC,
    ],
    ['where what stands before the cluster is broken', () => ({ status: 502, body: {} }), { code: Status.UNAVAILABLE }],
    ['where all hangs', () => 'hang', { code: Status.UNAVAILABLE, reason: 'CLUSTER_UNREACHABLE' }],
    [
      'where the authorizer says no to all',
      reviews({ status: 201, body: { status: { allowed: false, reason: 'webhook authorizer: no opinion' } } }),
      { reason: 'CLUSTER_FORBIDDEN', message: expect.stringContaining('no opinion') },
    ],
  ])('%s', async (_, script, rejection, credential) => {
    expect(await rejectionOf(rotateWhile(script, credential))).toMatchObject(rejection);
  });
});
