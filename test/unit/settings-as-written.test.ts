import { createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { allowedTargets, readGatewaySettings } from '../../src/gateway/settings.ts';
import { bindable } from '../../src/server/transport/bindable.ts';
import { requireMayBePlaintext } from '../../src/server/transport/plaintext.ts';
import { parseKeyring } from '../../src/shared/sealing/parse-keyring.ts';
import { readSettings } from '../../src/shared/settings.ts';

// Settings as people, files and tools write them: line breaks behind a key, addresses as in Go programs, names in capitals.

// 0xfb and 0xff are written otherwise in the other alphabet.
const BYTES = Buffer.alloc(32, Buffer.from([0xfb, 0xff, 0x01]));
const KEY = BYTES.toString('base64');
const SEAL = { LEASEHOLD_SEAL_KEY: KEY };

const AS_WRITTEN: [string, string][] = [
  ['as openssl prints it, into a file', `${KEY}\n`],
  ['with the line end of Windows', `${KEY}\r\n`],
  ['between blanks', `  ${KEY}\t`],
  ['in base64url', BYTES.toString('base64url')],
  ['without its padding', KEY.replace(/=+$/, '')],
  ['in base64url with its padding', `${BYTES.toString('base64url')}=\n`],
];

test.each(AS_WRITTEN)('a key %s is the key', (_what, key) => {
  expect(readSettings({ LEASEHOLD_SEAL_KEY: key }).LEASEHOLD_SEAL_KEY?.equals(createSecretKey(BYTES))).toBe(true);
  const { keys } = parseKeyring(JSON.stringify({ primary: 'k1', keys: [{ id: 'k1', key }] }));
  expect(keys.get('k1')?.equals(createSecretKey(BYTES))).toBe(true);
});

test.each([
  ['in hex', BYTES.toString('hex'), 'looks like hex'],
  ['encoded twice, as a Secret shows it', Buffer.from(KEY).toString('base64'), 'base64 of base64'],
  ['of 32 characters', 'abcdefghijklmnopqrstuvwxyz012345', '32 characters'],
  ['in both alphabets', `-${KEY.slice(1, -2)}/=`, 'must be 32 bytes in base64'],
  ['that is broken in its midst', `${KEY.slice(0, 20)}\n${KEY.slice(20)}`, 'must be 32 bytes in base64'],
  ['that is quoted', `"${KEY}"`, 'must be 32 bytes in base64'],
])('a key %s is refused, with what it looks like, and not shown', (_what, key, problem) => {
  const reading = () => readSettings({ LEASEHOLD_SEAL_KEY: key });
  expect(reading).toThrow(`LEASEHOLD_SEAL_KEY: must be 32 bytes in base64`);
  expect(reading).toThrow(problem);
  expect(reading).not.toThrow(key.slice(4, 14));
});

test('blanks and line breaks around any value are left out', () => {
  const settings = readSettings({
    ...SEAL,
    LEASEHOLD_INSTALLATION: 'blue\n',
    LEASEHOLD_REDIS_URL: ' redis://redis.example:6379\r\n',
    LEASEHOLD_CALLERS: '/etc/callers.yaml\n',
    LEASEHOLD_LOG_LEVEL: 'WARN\n',
    LEASEHOLD_ALLOW_VOLATILE_REDIS: 'true\n',
  });
  expect(settings).toMatchObject({
    LEASEHOLD_INSTALLATION: 'blue',
    LEASEHOLD_REDIS_URL: { node: { host: 'redis.example', port: 6379 } },
    LEASEHOLD_CALLERS: '/etc/callers.yaml',
    LEASEHOLD_LOG_LEVEL: 'warn',
    LEASEHOLD_ALLOW_VOLATILE_REDIS: true,
  });
  expect(
    readGatewaySettings({ LEASEHOLD_GATEWAY_SERVERS: 'h:1\n', LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: 'once\n' }),
  ).toMatchObject({ LEASEHOLD_GATEWAY_SERVERS: ['h:1'], LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: 'once' });
});

test.each([
  ['LEASEHOLD_LOG_LEVEL', 'Debug', 'debug'],
  ['LEASEHOLD_PLAINTEXT', 'Loopback', 'loopback'],
  ['LEASEHOLD_ALLOW_VOLATILE_REDIS', 'True', true],
  ['LEASEHOLD_ALLOW_VOLATILE_REDIS', 'FALSE', false],
  ['LEASEHOLD_REQUIRE_CLIENT_CERT', 'TRUE', true],
] as const)('the case of %s=%s does not matter', (name, written, meant) => {
  const mtls = { LEASEHOLD_TLS_CERT: 'c', LEASEHOLD_TLS_KEY: 'k', LEASEHOLD_CLIENT_CA: 'ca' };
  const around = name === 'LEASEHOLD_REQUIRE_CLIENT_CERT' ? mtls : {};
  expect(readSettings({ ...SEAL, ...around, [name]: written })[name]).toBe(meant);
});

test.each(['yes', '1', ''])('LEASEHOLD_ALLOW_VOLATILE_REDIS=%s is refused', (written) => {
  expect(() => readSettings({ ...SEAL, LEASEHOLD_ALLOW_VOLATILE_REDIS: written })).toThrow(/"true"\|"false"/);
});

const RELAY = { LEASEHOLD_RELAY_CERT: 'c', LEASEHOLD_RELAY_KEY: 'k', LEASEHOLD_RELAY_NAME: 'leasehold.example' };
const ADDRESS = { LEASEHOLD_RELAY_ADDRESS: 'relay.example:50052' };

test.each([
  [':50051', '[::]:50051'],
  ['*:50051', '[::]:50051'],
  ['[::]:50051', '[::]:50051'],
  [' :50051\n', '[::]:50051'],
  ['0.0.0.0:50051', '0.0.0.0:50051'],
  ['localhost:50051', 'localhost:50051'],
  ['LOCALHOST:50051', 'localhost:50051'],
  ['127.0.0.1:0', '127.0.0.1:0'],
  ['[0:0:0:0:0:0:0:1]:050', '[::1]:50'],
  ['Leasehold.example.:50051', 'leasehold.example:50051'],
])('LEASEHOLD_LISTEN=%s listens at %s', (written, listen) => {
  expect(readSettings({ ...SEAL, LEASEHOLD_LISTEN: written }).LEASEHOLD_LISTEN).toBe(listen);
  const relay = { ...SEAL, ...RELAY, ...ADDRESS, LEASEHOLD_RELAY_LISTEN: written };
  expect(readSettings(relay).LEASEHOLD_RELAY_LISTEN).toBe(listen);
});

test.each([
  ['50051', 'write :50051'],
  ['127.0.0.1', 'must be host:port'],
  ['127.0.0.1:', 'must be host:port'],
  ['127.0.0.1:grpc', 'must be host:port'],
  ['127.0.0.1:65536', 'at most 65535'],
  [':99999', 'at most 65535'],
  ['::1:50051', 'IPv6 address in brackets'],
  ['http://127.0.0.1:50051', 'no URL'],
  ['unix:/run/leasehold.sock', 'must be host:port'],
  ['127.1:50051', 'read as 127.0.0.1'],
  ['0:50051', 'read as 0.0.0.0'],
  ['a b:50051', 'invalid host'],
])('LEASEHOLD_LISTEN=%s is refused: %s', (written, problem) => {
  const complaint = new RegExp(`LEASEHOLD_LISTEN: .*${problem}`);
  expect(() => readSettings({ ...SEAL, LEASEHOLD_LISTEN: written })).toThrow(complaint);
});

test.each([
  ':50051',
  '*:50051',
  '[::]:50051',
  '0.0.0.0:50051',
  '[0:0:0:0:0:0:0:0]:50051',
  '[::ffff:0.0.0.0]:50051',
  '[::FFFF:0:0]:50051',
])('what listens at %s is not on loopback, nor where others reach it', (listen) => {
  const plain = readSettings({ ...SEAL, LEASEHOLD_LISTEN: listen, LEASEHOLD_PLAINTEXT: 'loopback' });
  expect(() => requireMayBePlaintext(plain)).toThrow('not loopback');
  const relay = { ...SEAL, ...RELAY, LEASEHOLD_RELAY_LISTEN: listen };
  expect(() => readSettings(relay)).toThrow('LEASEHOLD_RELAY_ADDRESS');
  expect(() => readSettings({ ...relay, LEASEHOLD_RELAY_ADDRESS: listen })).toThrow('must name the host');
});

test.each([
  ['[::]:50051', true, '[::]:50051'],
  ['[::]:50051', false, '0.0.0.0:50051'],
  ['[::ffff:0:0]:50051', false, '0.0.0.0:50051'],
  ['0.0.0.0:50051', false, '0.0.0.0:50051'],
  ['[::1]:50051', false, '[::1]:50051'],
])('%s is bound, with IPv6 %s, as %s', (listen, hasIpv6, bound) => {
  expect(bindable(listen, hasIpv6)).toBe(bound);
});

test.each([
  ['Relay.Example', 'relay.example'],
  ['relay.example.', 'relay.example'],
  ['RELAY.EXAMPLE.\n', 'relay.example'],
])('the name %s in a certificate is %s', (written, name) => {
  expect(readSettings({ ...SEAL, LEASEHOLD_RELAY_NAME: written }).LEASEHOLD_RELAY_NAME).toBe(name);
  const agent = { LEASEHOLD_GATEWAY_SERVERS: 'h:1', LEASEHOLD_GATEWAY_SERVER_NAME: written };
  expect(readGatewaySettings(agent).LEASEHOLD_GATEWAY_SERVER_NAME).toBe(name);
});

test.each([
  ['API.Example:6443', 'api.example:6443'],
  ['api.example.:6443', 'api.example:6443'],
  ['api.example:06443', 'api.example:6443'],
  ['[FD00:0:0::1]:6443', '[fd00::1]:6443'],
])('the target %s is %s, as URLs of configs have it', (written, target) => {
  const settings = readGatewaySettings({ LEASEHOLD_GATEWAY_SERVERS: written, LEASEHOLD_GATEWAY_TARGETS: written });
  expect([...allowedTargets(settings)]).toEqual([target]);
  expect(settings.LEASEHOLD_GATEWAY_SERVERS).toEqual([target]);
});

test('an API server of an agent is canonical, and keeps its path', () => {
  const written = {
    LEASEHOLD_GATEWAY_SERVERS: 'h:1',
    LEASEHOLD_GATEWAY_API_SERVER: 'https://API.example.:443/k8s/c-1/',
  };
  const settings = readGatewaySettings(written);
  expect(settings.LEASEHOLD_GATEWAY_API_SERVER).toBe('https://api.example/k8s/c-1');
  expect([...allowedTargets(settings)]).toEqual(['api.example:443']);
});
