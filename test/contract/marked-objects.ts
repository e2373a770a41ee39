import { expect, test } from 'vitest';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Place } from '../../src/shared/domain/places.ts';
import type { FoundObject } from '../../src/shared/ports/cluster.ts';
import { type OpenCluster, sampleObjects } from './cluster.ts';

/** What every Cluster does for reading it back, and with the Secrets that tokens are bound to. */
export function describeMarkedObjects(open: () => Promise<OpenCluster>): void {
  async function listed({ cluster }: OpenCluster, place: Place, labels: Record<string, string>) {
    const found: FoundObject[] = [];
    for await (const page of cluster.listMarked(place, labels)) {
      found.push(...page);
    }
    return found;
  }

  test('objects are found by all of their labels, with uid and marks, and no others', async () => {
    const opened = await open();
    const { namespace } = opened;
    const own = sampleObjects(opened);
    const other = sampleObjects(opened);
    await opened.outsider.makeAccount('without-marks');
    for (const { account, marks, serviceAccount, binding, clusterBinding } of [own, other]) {
      for (const object of [serviceAccount, binding, clusterBinding]) {
        await opened.cluster.create(object, account, marks);
      }
    }
    for (const [place, object] of [
      [{ kind: 'ServiceAccount', namespace }, own.serviceAccount],
      [{ kind: 'RoleBinding', namespace }, own.binding],
      [{ kind: 'ClusterRoleBinding' }, own.clusterBinding],
    ] as const) {
      const seen = await opened.outsider.look(object);
      const { kind, name } = object;
      expect(await listed(opened, place, own.marks.labels)).toEqual([{ ...place, kind, name, ...seen }]);
    }
    for (const { serviceAccount, binding, clusterBinding } of [own, other]) {
      await Promise.all([serviceAccount, binding, clusterBinding].map((object) => opened.cluster.remove(object)));
    }
  });

  test('an object is found by its name, with uid and marks; one that does not exist is not', async () => {
    const opened = await open();
    const { account, marks, serviceAccount, binding, clusterBinding } = sampleObjects(opened);
    const secret: LeaseObject = { kind: 'Secret', namespace: opened.namespace, name: account.name };
    for (const object of [serviceAccount, secret, binding, clusterBinding]) {
      await expect(opened.cluster.find(object)).rejects.toMatchObject({ refusal: { status: 404 } });
      const uid = await opened.cluster.create(object, account, marks);
      expect(await opened.cluster.find(object)).toMatchObject({ kind: object.kind, name: object.name, uid, ...marks });
      await opened.cluster.remove({ ...object, uid });
    }
  });

  test('a found object can be removed as it was found', async () => {
    const opened = await open();
    const { account, marks, serviceAccount } = sampleObjects(opened);
    await opened.cluster.create(serviceAccount, account, marks);
    const place = { kind: 'ServiceAccount', namespace: opened.namespace } as const;
    for (const found of await listed(opened, place, marks.labels)) {
      await opened.cluster.remove(found);
    }
    expect(await opened.outsider.look(serviceAccount)).toBeUndefined();
  });

  test('a place in which there is nothing has nothing', async () => {
    const opened = await open();
    const { marks } = sampleObjects(opened);
    expect(await listed(opened, { kind: 'RoleBinding', namespace: opened.namespace }, marks.labels)).toEqual([]);
  });

  test('a token is bound to a Secret that stands, and to no other', async () => {
    const opened = await open();
    const { namespace } = opened;
    const { account, marks } = sampleObjects(opened);
    const reader = { namespace, name: 'reader' };
    const secret: LeaseObject = { kind: 'Secret', namespace, name: account.name };
    const uid = await opened.cluster.create(secret, reader, marks);
    const wish = { audiences: [], seconds: 600, boundTo: { name: secret.name, uid } };

    expect((await opened.cluster.mintToken(reader, wish)).token.reveal()).not.toBe('');
    await expect(
      opened.cluster.mintToken(reader, { ...wish, boundTo: { name: secret.name, uid: 'another' } }),
    ).rejects.toMatchObject({ refusal: { status: 409 } });
    await opened.cluster.remove({ ...secret, uid });
    expect(await opened.outsider.look(secret)).toBeUndefined();
    await expect(opened.cluster.mintToken(reader, wish)).rejects.toMatchObject({ refusal: { status: 404 } });
  });
}
