import { expect, test } from 'vitest';
import { Config } from '../../src/gen/leasehold/v1/config.ts';
import { applyFieldMask, isOfAccess } from '../../src/server/requests/field-mask.ts';

const straight = Config.fromPartial({ access: { $case: 'direct', value: { url: 'https://one' } } });
const byGateway = Config.fromPartial({ access: { $case: 'gateway', value: { name: 'private' } } });

test('a mask of one access is refused where the config has the other', () => {
  expect(() => applyFieldMask(straight, byGateway, ['direct'])).toThrow('config.direct');
  expect(() => applyFieldMask(byGateway, straight, ['gateway'])).toThrow('config.gateway');
  expect(() => applyFieldMask(byGateway, straight, ['direct.gateway'])).toThrow('config.direct');
});

test('a config goes from one access to the other, and a path gets its gateway', () => {
  expect(applyFieldMask(straight, byGateway, ['gateway']).access).toEqual(byGateway.access);
  expect(applyFieldMask(byGateway, straight, ['direct']).access).toEqual(straight.access);
  const path = Config.fromPartial({ access: { $case: 'direct', value: { gateway: 'private', url: 'https://two' } } });
  expect(applyFieldMask(straight, path, ['direct.gateway']).access).toMatchObject({
    value: { url: 'https://one', gateway: 'private' },
  });
});

test('only paths of the access are about the access', () => {
  const paths = ['*', 'direct', 'direct.token', 'gateway', 'labels', 'default_ttl', 'dynamic'];
  expect(paths.filter(isOfAccess)).toEqual(['*', 'direct', 'direct.token', 'gateway']);
});
