import { expect, test } from 'vitest';
import { requireMayBePlaintext } from '../../src/server/transport/plaintext.ts';
import { readSettings } from '../../src/shared/settings.ts';

const SEAL = { LEASEHOLD_SEAL_KEY: Buffer.alloc(32).toString('base64') };
const CONFIRMED = { LEASEHOLD_PLAINTEXT_CONFIRMED: 'i-accept-that-tokens-travel-in-the-clear' };

const check = (settings: Record<string, string>) => () => requireMayBePlaintext(readSettings({ ...SEAL, ...settings }));

test('without TLS a server does not start', () => {
  expect(check({})).toThrow('needs LEASEHOLD_TLS_CERT and LEASEHOLD_TLS_KEY');
});

test.each(['127.0.0.1:50051', '127.1.2.3:50051', '[::1]:50051'])('at %s it may be told to do without', (listen) => {
  check({ LEASEHOLD_LISTEN: listen, LEASEHOLD_PLAINTEXT: 'loopback' })();
});

test.each([
  '0.0.0.0:50051',
  '[::]:50051',
  '10.0.0.1:50051',
  'localhost:50051',
  '127.0.0.1.example:50051',
  '[::ffff:127.0.0.1]:50051',
  '128.0.0.1:50051',
])('at %s it must be told twice', (listen) => {
  const at = { LEASEHOLD_LISTEN: listen };
  expect(check({ ...at, LEASEHOLD_PLAINTEXT: 'loopback', ...CONFIRMED })).toThrow('which is not loopback');
  expect(check({ ...at, LEASEHOLD_PLAINTEXT: 'anywhere' })).toThrow('LEASEHOLD_PLAINTEXT_CONFIRMED');
  expect(check({ ...at, LEASEHOLD_PLAINTEXT: 'anywhere', LEASEHOLD_PLAINTEXT_CONFIRMED: 'yes' })).toThrow(
    'LEASEHOLD_PLAINTEXT_CONFIRMED',
  );
  check({ ...at, LEASEHOLD_PLAINTEXT: 'anywhere', ...CONFIRMED })();
});

const PAIR = { LEASEHOLD_TLS_CERT: 'server.pem', LEASEHOLD_TLS_KEY: 'server.key' };

test.each<[string, Record<string, string>, string]>([
  ['a certificate without its key', { LEASEHOLD_TLS_CERT: 'server.pem' }, 'LEASEHOLD_TLS_CERT'],
  ['client certificates without TLS', { LEASEHOLD_CLIENT_CA: 'ca.pem' }, 'LEASEHOLD_CLIENT_CA'],
  [
    'client certificates of no CA',
    { ...PAIR, LEASEHOLD_REQUIRE_CLIENT_CERT: 'true' },
    'LEASEHOLD_REQUIRE_CLIENT_CERT: needs LEASEHOLD_CLIENT_CA',
  ],
  ['both TLS and none', { ...PAIR, LEASEHOLD_PLAINTEXT: 'loopback' }, 'contradicts LEASEHOLD_TLS_CERT'],
])('%s cannot be asked for', (_name, settings, problem) => {
  expect(() => readSettings({ ...SEAL, ...settings })).toThrow(problem);
});

test('a worker needs none of it', () => {
  readSettings(SEAL);
});
