import type { V1PolicyRule } from '@kubernetes/client-node';
import { Secret } from '../../src/shared/domain/secret.ts';
import type { Account } from '../support/admin.ts';
import type { Site } from './site.ts';

/** A namespace of the site for one fault, and an account with rights in there alone: a fault there disturbs no other. */
export interface Place extends Site {
  account: Account;
  /** A Secret that the token of `access` ends with. */
  tokenSecret: { namespace: string; name: string };
  /** Another token, as an operator makes one to replace it: of an account of its own, with the same rights. */
  newToken(): Promise<string>;
  /** Waits until the API server has heard that the account may, or may no longer, delete here. */
  untilMayDelete(may: boolean): Promise<void>;
}

/** As deploy/rbac has it: a Role in the namespace, which goes with it; and the right to see that the namespace is gone. */
export async function openPlace(site: Site, { mayReadNamespace = true } = {}): Promise<Place> {
  const { admin, role } = site;
  const namespace = await admin.createNamespace('fault');
  await admin.createServiceAccount(namespace, site.serviceAccount);
  const roleHere = await admin.createRole(namespace, rulesFor(role));
  const home = await admin.createNamespace('leasehold');
  const readsNamespace = await admin.createClusterRole([
    { apiGroups: [''], resources: ['namespaces'], resourceNames: [namespace], verbs: ['get'] },
  ]);

  const untilMayDelete = async ({ name }: { name: string }, may: boolean) => {
    for (const resource of ['serviceaccounts', 'secrets']) {
      await admin.waitUntilMay({ namespace: home, name }, { verb: 'delete', resource, namespace }, may);
    }
  };
  const makeAccount = async (name: string): Promise<Account> => {
    const account = await admin.createServiceAccount(home, name);
    await admin.bindRole(namespace, roleHere, account);
    if (mayReadNamespace) {
      await admin.bindClusterRole(readsNamespace, account);
      await admin.waitUntilMay(account, { verb: 'get', resource: 'namespaces', name: namespace });
    }
    await untilMayDelete(account, true);
    return account;
  };
  const account = await makeAccount('leasehold');
  const tokenSecret = { namespace: home, name: 'token' };
  const { metadata: { uid = '' } = {} } = await admin.core.createNamespacedSecret({
    namespace: home,
    body: { metadata: { name: tokenSecret.name } },
  });
  const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: tokenSecret.name, uid };
  return {
    ...site,
    namespace,
    account,
    tokenSecret,
    access: { ...site.access, token: new Secret(await admin.mintToken(account, { boundObjectRef })) },
    newToken: async () => admin.mintToken(await makeAccount('successor')),
    untilMayDelete: (may) => untilMayDelete(account, may),
  };
}

function rulesFor(role: string): V1PolicyRule[] {
  const rbac = ['rbac.authorization.k8s.io'];
  return [
    { apiGroups: [''], resources: ['serviceaccounts', 'secrets'], verbs: ['create', 'delete', 'list'] },
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] },
    { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
    { apiGroups: rbac, resources: ['rolebindings'], verbs: ['create', 'delete', 'list'] },
    { apiGroups: rbac, resources: ['clusterroles'], resourceNames: [role], verbs: ['bind'] },
  ];
}
