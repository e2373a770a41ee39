import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { AlreadyExists, NotFound } from '../../src/shared/domain/errors.ts';
import type { Gateway } from '../../src/shared/domain/gateway.ts';
import type { GatewayStore } from '../../src/shared/ports/gateway-store.ts';
import { eventually } from '../support/eventually.ts';

const HOUR_MS = 3_600_000;

/** What every store of gateways promises. */
export function describeGatewayStore(open: () => GatewayStore): void {
  let store: GatewayStore;
  beforeEach(() => {
    store = open();
  });

  async function created(name: string): Promise<Gateway> {
    const gateway = { name, uid: randomUUID(), createTime: Date.now() };
    await store.create(gateway);
    return gateway;
  }

  async function enrolled(gateway: Gateway, token = randomUUID()) {
    await store.keepToken(gateway, token, HOUR_MS);
    const identity = await store.enrol(token, { id: randomUUID(), publicKey: randomUUID() });
    return identity ?? expect.fail('the token did not count');
  }

  test('a gateway comes back as it was stored, and has a name of its own', async () => {
    const gateway = await created('private');
    expect(await store.get('private')).toEqual(gateway);
    expect(await store.get('public')).toBeUndefined();
    await expect(created('private')).rejects.toBeInstanceOf(AlreadyExists);
  });

  test('gateways are listed in the order of their names', async () => {
    for (const name of ['c', 'a', 'b']) {
      await created(name);
    }
    const names = async (page: { after: string; limit: number }) => (await store.list(page)).map(({ name }) => name);
    expect(await names({ after: '', limit: 2 })).toEqual(['a', 'b']);
    expect(await names({ after: 'b', limit: 2 })).toEqual(['c']);
  });

  describe('an enrolment token', () => {
    test('makes one key known, as often as that key asks', async () => {
      const gateway = await created('private');
      await store.keepToken(gateway, 'hash', HOUR_MS);
      const first = await store.enrol('hash', { id: randomUUID(), publicKey: 'key' });
      const again = await store.enrol('hash', { id: randomUUID(), publicKey: 'key' });
      expect(first).toMatchObject({ gateway: { name: 'private', uid: gateway.uid }, publicKey: 'key' });
      expect(again).toEqual(first);
      expect(await store.enrol('hash', { id: randomUUID(), publicKey: 'another' })).toBeUndefined();
      expect(await store.identity(first?.id ?? '')).toEqual(first);
      expect(await store.countIdentities(gateway)).toBe(1);
    });

    test('that nobody made does not count', async () => {
      await created('private');
      expect(await store.enrol('unknown', { id: randomUUID(), publicKey: 'key' })).toBeUndefined();
    });

    test('counts for its time only', async () => {
      await store.keepToken(await created('private'), 'hash', 1);
      await eventually(async () => {
        expect(await store.enrol('hash', { id: randomUUID(), publicKey: randomUUID() })).toBeUndefined();
      });
    });

    test('is not kept for a gateway that is gone', async () => {
      const gateway = { name: 'gone', uid: randomUUID(), createTime: Date.now() };
      await expect(store.keepToken(gateway, 'hash', HOUR_MS)).rejects.toBeInstanceOf(NotFound);
    });
  });

  test('identities and tokens that are revoked count no more, and later ones do', async () => {
    const gateway = await created('private');
    const before = await enrolled(gateway);
    await store.keepToken(gateway, 'unused', HOUR_MS);
    await store.revokeIdentities(gateway);

    expect(await store.identity(before.id)).toBeUndefined();
    expect(await store.enrol('unused', { id: randomUUID(), publicKey: 'key' })).toBeUndefined();
    expect(await store.countIdentities(gateway)).toBe(0);
    const after = await enrolled(gateway);
    expect(await store.identity(after.id)).toEqual(after);
  });

  test('a gateway that is deleted takes its identities and tokens along, also where another gets its name', async () => {
    const gateway = await created('private');
    const { id } = await enrolled(gateway);
    await store.keepToken(gateway, 'unused', HOUR_MS);
    await store.delete(gateway);
    await created('private');

    expect(await store.identity(id)).toBeUndefined();
    expect(await store.enrol('unused', { id: randomUUID(), publicKey: 'key' })).toBeUndefined();
    await expect(store.delete(gateway)).rejects.toBeInstanceOf(NotFound);
    await expect(store.revokeIdentities(gateway)).rejects.toBeInstanceOf(NotFound);
  });
}
