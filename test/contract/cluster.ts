import { v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import type { LeaseObject } from '../../src/shared/domain/lease.ts';
import type { Marks } from '../../src/shared/domain/marks.ts';
import type { Cluster } from '../../src/shared/ports/cluster.ts';

/** A cluster, and what somebody else does and sees there. */
export interface OpenCluster {
  cluster: Cluster;
  /** Exists, and has a service account `reader`. */
  namespace: string;
  /** A ClusterRole. */
  role: string;
  outsider: Outsider;
}

export interface Outsider {
  /** Makes a service account without any marks. Returns its uid. */
  makeAccount(name: string): Promise<string>;
  /** Uid and marks of an object; undefined: there is none. */
  look(object: LeaseObject): Promise<({ uid: string } & Marks) | undefined>;
  /** Sets the finalizers of an object. */
  setFinalizers(object: LeaseObject, finalizers: string[]): Promise<void>;
}

/** A lease's objects of one kind, and how they are marked. */
export interface Sample {
  account: { namespace: string; name: string };
  serviceAccount: LeaseObject;
  binding: LeaseObject;
  clusterBinding: LeaseObject;
  marks: Marks;
}

export function sampleObjects({ namespace, role: roleName }: OpenCluster): Sample {
  const id = uuidv7();
  const name = `leasehold-${id}`;
  const role = { kind: 'ClusterRole', name: roleName } as const;
  return {
    account: { namespace, name },
    serviceAccount: { kind: 'ServiceAccount', namespace, name },
    binding: { kind: 'RoleBinding', namespace, name, role },
    clusterBinding: { kind: 'ClusterRoleBinding', name, role },
    marks: {
      labels: { 'app.kubernetes.io/managed-by': 'leasehold', 'leasehold.dev/installation': id },
      annotations: { 'leasehold.dev/expires-at': '2030-01-01T00:00:00.000Z' },
    },
  };
}

/** What every Cluster does with the objects and tokens of leases. */
export function describeCluster(open: () => Promise<OpenCluster>): void {
  test('an object is made with its marks, and its uid is told', async () => {
    const opened = await open();
    const { account, marks, serviceAccount, binding, clusterBinding } = sampleObjects(opened);
    for (const object of [serviceAccount, binding, clusterBinding]) {
      const uid = await opened.cluster.create(object, account, marks);
      expect(await opened.outsider.look(object)).toMatchObject({ uid, ...marks });
      await opened.cluster.remove({ ...object, uid });
      expect(await opened.outsider.look(object)).toBeUndefined();
    }
  });

  test('an object is not made where one of its name is', async () => {
    const opened = await open();
    const { account, marks, serviceAccount } = sampleObjects(opened);
    const uid = await opened.outsider.makeAccount(serviceAccount.name);
    await expect(opened.cluster.create(serviceAccount, account, marks)).rejects.toMatchObject({
      refusal: { status: 409, reason: 'AlreadyExists' },
      effectUnknown: false,
    });
    expect(await opened.outsider.look(serviceAccount)).toMatchObject({ uid });
  });

  test('removing what is gone is success, with a uid and without', async () => {
    const opened = await open();
    const { account, marks, serviceAccount } = sampleObjects(opened);
    await opened.cluster.remove(serviceAccount);
    const uid = await opened.cluster.create(serviceAccount, account, marks);
    await opened.cluster.remove(serviceAccount);
    await opened.cluster.remove({ ...serviceAccount, uid });
    expect(await opened.outsider.look(serviceAccount)).toBeUndefined();
  });

  test('a later object of the same name is left alone', async () => {
    const opened = await open();
    const { account, marks, serviceAccount } = sampleObjects(opened);
    const uid = await opened.cluster.create(serviceAccount, account, marks);
    await opened.cluster.remove({ ...serviceAccount, uid });
    const later = await opened.outsider.makeAccount(serviceAccount.name);
    await opened.cluster.remove({ ...serviceAccount, uid });
    expect(await opened.outsider.look(serviceAccount)).toMatchObject({ uid: later });
  });

  test('what waits for its finalizers is not removed yet', async () => {
    const opened = await open();
    const { account, marks, binding } = sampleObjects(opened);
    const uid = await opened.cluster.create(binding, account, marks);
    await opened.outsider.setFinalizers(binding, ['test.leasehold.dev/wait']);
    for (const _ of [1, 2]) {
      await expect(opened.cluster.remove({ ...binding, uid })).rejects.toMatchObject({ name: 'ClusterNotDone' });
    }
    await opened.outsider.setFinalizers(binding, []);
    await opened.cluster.remove({ ...binding, uid });
    expect(await opened.outsider.look(binding)).toBeUndefined();
  });

  test('a token is minted for an account that exists, and says when it ends', async () => {
    const opened = await open();
    const account = { namespace: opened.namespace, name: 'reader' };
    const before = Date.now();
    const minted = await opened.cluster.mintToken(account, { audiences: [], seconds: 700 });
    expect(minted.token.reveal()).not.toBe('');
    expect(minted.expireTime).toBeGreaterThan(before + 690_000);
    expect(minted.expireTime).toBeLessThan(Date.now() + 710_000);
    expect(minted.expireTime % 1000).toBe(0);
  });

  test('no token is minted for less than ten minutes, nor for an account that does not exist', async () => {
    const opened = await open();
    const reader = { namespace: opened.namespace, name: 'reader' };
    await expect(opened.cluster.mintToken(reader, { audiences: [], seconds: 599 })).rejects.toMatchObject({
      refusal: { status: 422 },
    });
    await expect(
      opened.cluster.mintToken({ ...reader, name: 'nobody' }, { audiences: [], seconds: 600 }),
    ).rejects.toMatchObject({ refusal: { status: 404 } });
  });

  test('an account is read where it exists', async () => {
    const opened = await open();
    const reader = { namespace: opened.namespace, name: 'reader' };
    await opened.cluster.readServiceAccount(reader);
    await expect(opened.cluster.readServiceAccount({ ...reader, name: 'nobody' })).rejects.toMatchObject({
      refusal: { status: 404 },
    });
  });

  test('a namespace is read where it exists, by its uid', async () => {
    const opened = await open();
    const found = await opened.cluster.readNamespace(opened.namespace);
    expect(found).toEqual({ uid: expect.stringMatching(/./), isTerminating: false });
    expect(await opened.cluster.readNamespace(opened.namespace, { unlessDenied: true })).toEqual(found);
    expect(await opened.cluster.readNamespace('there-is-none')).toBeUndefined();
  });

  test('an object is not made in a namespace that does not exist', async () => {
    const opened = await open();
    const { account, marks, serviceAccount } = sampleObjects(opened);
    const elsewhere = { ...serviceAccount, namespace: 'there-is-none' } as LeaseObject;
    await expect(opened.cluster.create(elsewhere, account, marks)).rejects.toMatchObject({
      refusal: { status: 404, reason: 'NotFound', objectName: 'there-is-none' },
      effectUnknown: false,
    });
    await opened.cluster.remove(elsewhere);
  });

  test('a role is read where it exists', async () => {
    const { cluster, namespace, role } = await open();
    const found = await cluster.readRole({ kind: 'ClusterRole', name: role }, namespace);
    expect(found).toMatchObject({ isEmpty: false });
    for (const missing of [
      { kind: 'ClusterRole', name: 'system:no-such:role' },
      { kind: 'Role', name: role },
    ] as const) {
      await expect(cluster.readRole(missing, namespace)).rejects.toMatchObject({
        refusal: { status: 404, reason: 'NotFound', objectName: missing.name },
      });
    }
  });

  test('the authorizer is asked, and a rehearsal keeps nothing', async () => {
    const opened = await open();
    const { account, binding } = sampleObjects(opened);
    const permission = { verb: 'create', apiGroup: '', resource: 'serviceaccounts', purpose: 'test' } as const;
    expect(await opened.cluster.canI(permission)).toMatchObject({ allowed: true });
    expect(await opened.cluster.dryRunCreate(binding, account)).toMatchObject({ allowed: true });
    expect(await opened.outsider.look(binding)).toBeUndefined();
  });
}
