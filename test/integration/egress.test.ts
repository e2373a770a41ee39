import { randomBytes } from 'node:crypto';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { knownSecret } from '../evidence/known-secret.ts';
import { rejectionOf } from '../support/rejection.ts';
import { directAccess, type StaticSetup, setUpStatic } from '../support/set-ups.ts';
import { openWorld, type World } from '../support/world.ts';

// Two servers of one installation: one may call this machine, where the cluster is, the other calls nothing private.

let open: World;
let guarded: World;
let setup: StaticSetup;
beforeAll(async () => {
  const shared = {
    LEASEHOLD_INSTALLATION: `test-${randomBytes(4).toString('hex')}`,
    LEASEHOLD_SEAL_KEY: knownSecret(randomBytes(32).toString('base64')),
  };
  open = await openWorld(shared);
  guarded = await openWorld({ ...shared, LEASEHOLD_ALLOWED_NETWORKS: '' });
  setup = await setUpStatic(open, 'kept');
  await open.configs.createConfig({ config: setup.config });
});
afterAll(async () => {
  await open.stop();
  await guarded.stop();
});

test.each([
  ['loopback', 'https://127.0.0.1:6443'],
  ['its name', 'https://localhost:6443'],
  ['its name in capitals', 'https://LOCALHOST:6443'],
  ['loopback of IPv6', 'https://[::1]:6443'],
  ['a private address', 'https://10.0.0.1:6443'],
  ['another', 'https://192.168.0.1'],
  ['a carrier’s', 'https://100.64.0.1'],
  ['a unique local one', 'https://[fd00::1]'],
  ['a metadata service', 'https://169.254.169.254/latest/meta-data'],
  ['in decimal', 'https://2852039166'],
  ['in octal', 'https://0251.0376.0251.0376'],
  ['in hexadecimal', 'https://0xa9fea9fe'],
  ['in hexadecimal parts', 'https://0xA9.0xFE.0xA9.0xFE'],
  ['short', 'https://169.16689662'],
  ['short and octal', 'https://0251.254.43518'],
  ['with a dot at its end', 'https://169.254.169.254.'],
  ['in wide digits', 'https://１６９.２５４.１６９.２５４'],
  ['in circled digits', 'https://①⑥⑨.②⑤④.①⑥⑨.②⑤④'],
  ['with ideographic dots', 'https://169。254。169。254'],
  ['percent-encoded', 'https://%31%36%39.254.169.254'],
  ['mapped into IPv6', 'https://[::ffff:169.254.169.254]'],
  ['mapped, in hexadecimal', 'https://[::FFFF:A9FE:A9FE]'],
  ['compatible with IPv4', 'https://[::169.254.169.254]'],
  ['by NAT64', 'https://[64:ff9b::a9fe:a9fe]'],
  ['by 6to4', 'https://[2002:a9fe:a9fe::]'],
  ['behind a user', 'https://kubernetes.example@169.254.169.254'],
  ['behind a user and a port', 'https://kubernetes.example:6443@169.254.169.254'],
  ['before a fragment', 'https://169.254.169.254#@kubernetes.example'],
  ['before a backslash', 'https://169.254.169.254\\@kubernetes.example'],
  ['with a line break in it', 'https://169.254.\n169.254'],
  ['link-local with a zone', 'https://[fe80::1%25lo]:6443'],
  ['link-local', 'https://[fe80::1]:6443'],
  ['AWS by IPv6', 'https://[fd00:ec2::254]'],
  ['Azure', 'https://168.63.129.16'],
  ['Alibaba', 'https://100.100.100.200'],
  ['zero', 'https://0'],
  ['unspecified of IPv6', 'https://[::]:6443'],
])('a config does not lead to %s: %s', async (_, url) => {
  const access = directAccess({ ...guarded.cluster, url }, setup.requester.token);
  const config = { ...setup.config, access };
  const refused = { code: Status.INVALID_ARGUMENT, fields: ['config.direct.url'] };
  for (const call of [
    () => guarded.configs.createConfig({ config: { ...config, name: 'elsewhere' } }),
    () => guarded.configs.checkConfig({ target: { $case: 'config', value: config } }),
    () => guarded.configs.updateConfig({ config, updateMask: ['direct'] }),
  ]) {
    expect(await rejectionOf(call())).toMatchObject(refused);
  }
});

test('a config whose cluster may not be called any more issues nothing, and its caller hears why', async () => {
  const rejection = await rejectionOf(guarded.leases.issueLease({ config: 'kept' }));
  expect(rejection).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CLUSTER_ADDRESS_NOT_ALLOWED',
    metadata: { verb: 'create', resource: 'serviceaccounts/token' },
    retry: false,
  });
  expect(rejection.message).toContain(
    '127.0.0.1 is a loopback address, which LEASEHOLD_ALLOWED_NETWORKS does not hold',
  );
  expect(await rejectionOf(guarded.configs.checkConfig({ target: { $case: 'name', value: 'kept' } }))).toMatchObject({
    code: Status.FAILED_PRECONDITION,
    reason: 'CLUSTER_ADDRESS_NOT_ALLOWED',
  });
  expect((await open.leases.issueLease({ config: 'kept' })).lease?.endTime).toBeUndefined();
});
