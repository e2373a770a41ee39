import { expect, test } from 'vitest';
import { readSettings } from '../../src/shared/settings.ts';

const SETTINGS = {
  LEASEHOLD_SEAL_KEY: Buffer.alloc(32).toString('base64'),
  LEASEHOLD_RELAY_CERT: 'cert.pem',
  LEASEHOLD_RELAY_KEY: 'key.pem',
  LEASEHOLD_RELAY_NAME: 'leasehold.example',
};

test.each(['0.0.0.0:50052', '[::]:50052'])('a relay that listens at %s says where others reach it', (listen) => {
  const settings = { ...SETTINGS, LEASEHOLD_RELAY_LISTEN: listen };
  expect(() => readSettings(settings)).toThrow('LEASEHOLD_RELAY_ADDRESS');
  readSettings({ ...settings, LEASEHOLD_RELAY_ADDRESS: '10.0.0.1:50052' });
});

test('a relay that listens at one address is reached there', () => {
  readSettings({ ...SETTINGS, LEASEHOLD_RELAY_LISTEN: '10.0.0.1:50052' });
});

test.each(['NAME', 'CA'])(
  'a relay that others can only trust by its %s is not taken for any of a public CA',
  (kept) => {
    const { LEASEHOLD_RELAY_NAME: _, ...settings } = { ...SETTINGS, LEASEHOLD_RELAY_LISTEN: '10.0.0.1:50052' };
    expect(() => readSettings(settings)).toThrow('LEASEHOLD_RELAY_NAME');
    readSettings({ ...settings, [`LEASEHOLD_RELAY_${kept}`]: 'given' });
  },
);
