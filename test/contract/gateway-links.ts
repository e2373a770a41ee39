import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { GatewayLink } from '../../src/shared/domain/gateway.ts';
import type { GatewayLinks, GatewayStore } from '../../src/shared/ports/gateway-store.ts';

/** What every registry of links promises; it is one with its store of gateways. */
export function describeGatewayLinks(open: () => { store: GatewayStore; links: GatewayLinks }): void {
  let store: GatewayStore;
  let links: GatewayLinks;
  beforeEach(() => {
    ({ store, links } = open());
  });

  async function linkOf(name: string): Promise<GatewayLink> {
    const gateway = { name, uid: randomUUID() };
    await store.create({ ...gateway, createTime: Date.now() });
    await store.keepToken(gateway, `token of ${name}`, 60_000);
    const identity = await store.enrol(`token of ${name}`, { id: randomUUID(), publicKey: 'key' });
    return {
      id: randomUUID(),
      gateway,
      identityId: identity?.id ?? '',
      instanceId: randomUUID(),
      version: '1.2.3',
      connectTime: Date.now(),
      server: '10.0.0.1:7443',
    };
  }

  test('a link that is announced is found under its gateway, until it is withdrawn', async () => {
    const link = await linkOf('private');
    expect(await links.lastSeen(link.gateway)).toBeUndefined();
    expect(await links.announce(link)).toBe(true);
    const second = { ...link, id: randomUUID() };
    await links.announce(second);

    const seen = await links.of(link.gateway);
    expect(seen.map(({ lastSeenTime: _, ...found }) => found)).toEqual(expect.arrayContaining([link, second]));
    await links.withdraw(link);
    expect(await links.of(link.gateway)).toMatchObject([{ id: second.id }]);
    expect(await links.of({ name: 'private', uid: randomUUID() })).toEqual([]);
    expect(await links.lastSeen(link.gateway)).toBeGreaterThan(0);
  });

  test('a link is not announced any more once its identity was revoked', async () => {
    const link = await linkOf('private');
    await links.announce(link);
    await store.revokeIdentities(link.gateway);
    expect(await links.announce(link)).toBe(false);
  });

  test('a link is not announced any more once its gateway was deleted', async () => {
    const link = await linkOf('private');
    await links.announce(link);
    await store.delete(link.gateway);
    expect(await links.announce(link)).toBe(false);
  });
}
