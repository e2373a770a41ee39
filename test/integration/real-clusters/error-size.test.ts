import { Status } from 'nice-grpc';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { RoleKind } from '../../../src/gen/leasehold/v1/config.ts';
import {
  CreateConfigRequest,
  GetConfigRequest,
  ListConfigsRequest,
  UpdateConfigRequest,
} from '../../../src/gen/leasehold/v1/config_service.ts';
import { IssueLeaseRequest, ListLeasesRequest } from '../../../src/gen/leasehold/v1/lease_service.ts';
import { startObligingCluster } from '../../fuzz/obliging-cluster.ts';
import { type AnsweringServer, startAnsweringServer } from '../../support/answering-server.ts';
import { failure } from '../../support/api-server-words.ts';
import { type SizedOutcome, sizedCall } from '../../support/header-bytes.ts';
import { RawGrpc } from '../../support/raw-grpc.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { type ConfigFields, directAccess, seconds } from '../../support/set-ups.ts';
import { openWorld, type World } from '../../support/world.ts';

// Clients of Java, Python and C++ drop a call with more than 8 KiB of headers, and with it the whole error.

const MAX_HEADER_BYTES = 8 * 1024;

const label = (number: number) => `${'n'.repeat(58)}-${String(number).padStart(4, '0')}`;
const NAMESPACES = Array.from({ length: 64 }, (_, number) => label(number));
const AUDIENCES = Array.from({ length: 16 }, (_, number) => `https://${label(number)}.example/${'a'.repeat(150)}`);

let world: World;
let raw: RawGrpc;
let obliging: AnsweringServer;
let wordy: AnsweringServer;
beforeAll(async () => {
  world = await openWorld();
  obliging = await startObligingCluster();
  wordy = await startAnsweringServer((_request, response) => {
    const { message, ...rest } = failure(403, 'Forbidden', `no: ${'網絡"%\n'.repeat(2_000)}`);
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message, ...rest }));
  });
  await world.configs.createConfig({ config: configOn(obliging, 'large') });
});
// A connection of its own for each: what is too large may break one.
beforeEach(async () => {
  raw = await RawGrpc.connect(world.address);
});
afterEach(() => raw.close());
afterAll(async () => {
  obliging.stop();
  wordy.stop();
  await world.stop();
});

function configOn({ url, caPem }: AnsweringServer, name: string, fields: ConfigFields = {}): ConfigFields {
  return {
    name,
    defaultTtl: seconds(600),
    maxTtl: seconds(600),
    audiences: AUDIENCES,
    access: directAccess({ url, caPem }, 'a-token-of-this-server'),
    credential: {
      $case: 'dynamic',
      value: { allowedNamespaces: NAMESPACES, role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' } },
    },
    ...fields,
  };
}

const CONFIGS = '/leasehold.v1.ConfigService';
const LEASES = '/leasehold.v1.LeaseService';
const issue = (fields: object) =>
  sizedCall(
    raw,
    `${LEASES}/IssueLease`,
    IssueLeaseRequest.encode(IssueLeaseRequest.fromPartial({ config: 'large', ...fields })).finish(),
  );
const create = (config: ConfigFields) =>
  sizedCall(
    raw,
    `${CONFIGS}/CreateConfig`,
    CreateConfigRequest.encode(CreateConfigRequest.fromPartial({ config })).finish(),
  );
const update = (updateMask: string[]) =>
  sizedCall(
    raw,
    `${CONFIGS}/UpdateConfig`,
    UpdateConfigRequest.encode(UpdateConfigRequest.fromPartial({ config: { name: 'large' }, updateMask })).finish(),
  );
const get = (name: string) =>
  sizedCall(raw, `${CONFIGS}/GetConfig`, GetConfigRequest.encode(GetConfigRequest.fromPartial({ name })).finish());

test.each<[string, Status, RegExp, () => Promise<SizedOutcome>]>([
  ['64 namespaces, none of them asked for', Status.INVALID_ARGUMENT, /and \d\d more/, () => issue({})],
  ['64 namespaces, another asked for', Status.INVALID_ARGUMENT, /and \d\d more/, () => issue({ namespace: 'other' })],
  [
    'many audiences, others asked for',
    Status.INVALID_ARGUMENT,
    /audiences/,
    () => issue({ namespace: NAMESPACES[0], audiences: AUDIENCES.map((audience) => `${audience}é`) }),
  ],
  ['a namespace of many bytes', Status.INVALID_ARGUMENT, /namespace/, () => issue({ namespace: '🚀'.repeat(20_000) })],
  [
    'many wrong labels',
    Status.INVALID_ARGUMENT,
    /labels/,
    () => {
      const labels = Array.from({ length: 60 }, (_, number) => [`${'é'.repeat(300)} ${number}`, '網'.repeat(300)]);
      return create(configOn(obliging, 'labels', { labels: Object.fromEntries(labels) }));
    },
  ],
  [
    'many wrong namespaces',
    Status.INVALID_ARGUMENT,
    /allowed_namespaces/,
    () => {
      const allowedNamespaces = NAMESPACES.map((name) => `${name}_${'網'.repeat(50)}`);
      const value = { allowedNamespaces, role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: '役'.repeat(5_000) } };
      return create(configOn(obliging, 'namespaces', { credential: { $case: 'dynamic', value } }));
    },
  ],
  [
    'a mask of many unknown paths',
    Status.INVALID_ARGUMENT,
    /and \d+ more/,
    () => update(Array.from({ length: 1_000 }, (_, number) => `direct.ünknown_${number}`)),
  ],
  ['a mask of one long path', Status.INVALID_ARGUMENT, /update_mask/, () => update(['ü'.repeat(60_000)])],
  [
    'a long page token',
    Status.INVALID_ARGUMENT,
    /page_token/,
    () =>
      sizedCall(
        raw,
        `${CONFIGS}/ListConfigs`,
        ListConfigsRequest.encode(ListConfigsRequest.fromPartial({ pageToken: 'é'.repeat(60_000) })).finish(),
      ),
  ],
  [
    'a long filter',
    Status.INVALID_ARGUMENT,
    /config/,
    () =>
      sizedCall(
        raw,
        `${LEASES}/ListLeases`,
        ListLeasesRequest.encode(ListLeasesRequest.fromPartial({ config: '網'.repeat(50_000) })).finish(),
      ),
  ],
  ['a long name', Status.INVALID_ARGUMENT, /name/, () => get('網'.repeat(50_000))],
  [
    'a long text of a cluster, in another script',
    Status.FAILED_PRECONDITION,
    /no: 網/,
    () => create(configOn(wordy, 'wordy')),
  ],
  [
    'a method that there is not, of a long name',
    Status.UNIMPLEMENTED,
    /method/,
    () => sizedCall(raw, `/leasehold.v1.${'x'.repeat(20_000)}/Get`, undefined),
  ],
  [
    'a token that is no token',
    Status.UNAUTHENTICATED,
    /token/,
    () => sizedCall(raw, `${CONFIGS}/GetConfig`, Buffer.alloc(0), { authorization: `Bearer ${'x'.repeat(20_000)}` }),
  ],
  [
    'a message that is none',
    Status.INVALID_ARGUMENT,
    /message/,
    () => sizedCall(raw, `${CONFIGS}/GetConfig`, Buffer.alloc(10_000, 255)),
  ],
])('the error fits into the headers: %s', async (_, status, message, call) => {
  const outcome = await call();
  expect(outcome.status).toBe(status);
  expect(decodeURIComponent(outcome.message)).toMatch(message);
  expect(outcome.headerBytes).toBeLessThan(MAX_HEADER_BYTES);
});

test('what is cut is the text, not the reason', async () => {
  const rejection = await rejectionOf(world.configs.createConfig({ config: configOn(wordy, 'wordy') }));
  expect(rejection).toMatchObject({
    reason: 'CLUSTER_FORBIDDEN',
    metadata: { verb: 'delete', http_status: '403', advice: expect.any(String) },
  });
  expect(rejection.metadata['cluster_message']).toMatch(
    /^the cluster token cannot delete resource "serviceaccounts": no: 網.*\.\.\.$/s,
  );
});

test('what fits is told whole', async () => {
  const rejection = await rejectionOf(world.leases.issueLease({ config: 'large', namespace: 'other' }));
  expect(rejection.message).toContain(NAMESPACES.slice(0, 10).join(', '));
});
