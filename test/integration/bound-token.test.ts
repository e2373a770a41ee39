import { expect, inject, test } from 'vitest';
import { Admin } from '../support/admin.ts';
import { adminsCluster } from '../support/direct-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { authenticationStatus } from '../support/token-use.ts';

// A token of an account that stays ends with the Secret that it is bound to.

const MARKS = { labels: { 'leasehold.dev/lease': 'lease' }, annotations: {} };

test('a token that is bound to a Secret is refused once the Secret is gone; one that is not, works on', async () => {
  const { adminToken, ...address } = inject('controlPlane');
  const admin = new Admin(address, adminToken);
  const cluster = adminsCluster();
  const namespace = await admin.createNamespace('bound');
  const account = await admin.createServiceAccount(namespace, 'reader');
  const secret = { kind: 'Secret', namespace, name: 'leasehold-1' } as const;

  const uid = await cluster.create(secret, account, MARKS);
  expect(await admin.core.readNamespacedSecret(secret)).toMatchObject({
    type: 'Opaque',
    immutable: true,
    metadata: { uid, labels: MARKS.labels },
  });
  const wish = { audiences: [], seconds: 600 };
  const bound = await cluster.mintToken(account, { ...wish, boundTo: { name: secret.name, uid } });
  const unbound = await cluster.mintToken(account, wish);
  expect(await authenticationStatus(address, bound.token.reveal())).toBe(201);

  await cluster.remove({ ...secret, uid });
  await eventually(async () => expect(await authenticationStatus(address, bound.token.reveal())).toBe(401));
  expect(await authenticationStatus(address, unbound.token.reveal())).toBe(201);
  await cluster.remove({ ...secret, uid });
});
