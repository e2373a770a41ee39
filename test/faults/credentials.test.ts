import pLimit from 'p-limit';
import { beforeAll, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { directAccess } from '../support/set-ups.ts';
import { authenticationStatus } from '../support/token-use.ts';
import { DYNAMIC } from './installation.ts';
import { beforeExpiry, type Fault, type Scene, whileIssuing } from './refused-calls.ts';
import { report } from './report.ts';
import { openSite, type Site } from './site.ts';

// The cluster token of a config is dead, or its rights are gone: nothing is issued, and what is out waits for another token.

const AT_ONCE = 4;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

/** As an operator does it: a token of an account that has the rights. */
async function replaceToken({ place, client }: Scene): Promise<void> {
  const { url, tls } = place.access;
  const access = directAccess({ url, caPem: tls.caPem ?? '' }, await place.newToken());
  await client.configs.updateConfig({ config: { name: DYNAMIC, access }, updateMask: ['direct.token'] });
}

const tokenDead: Pick<Fault, 'strike'> = {
  async strike(scene) {
    const { admin, access, tokenSecret } = scene.place;
    await admin.core.deleteNamespacedSecret(tokenSecret);
    const address = { url: access.url, caPem: access.tls.caPem ?? '' };
    // The API server remembers for 10 s that it was good.
    await eventually(async () => {
      const status = await authenticationStatus(address, access.token.reveal());
      if (status !== 401) {
        throw new Error(`the token is still good: ${status}`);
      }
    });
    return () => replaceToken(scene);
  },
};

const rightsGone: Pick<Fault, 'strike'> = {
  async strike(scene) {
    const { admin, namespace, untilMayDelete } = scene.place;
    const labelSelector = '!app.kubernetes.io/managed-by';
    await admin.rbac.deleteCollectionNamespacedRoleBinding({ namespace, labelSelector });
    await untilMayDelete(false);
    return () => replaceToken(scene);
  },
};

test.concurrent('the cluster token dies', async (context) => {
  const refused = /CLUSTER_UNAUTHENTICATED/;
  await report(context, [
    limit(() => whileIssuing(site, { ...tokenDead, name: 'cluster token dead (401) while issuing', reasons: refused })),
    limit(() =>
      beforeExpiry(site, { ...tokenDead, name: 'cluster token dead (401) before expiry', says: /401|Unauth/ }),
    ),
  ]);
});

test.concurrent('the rights of the cluster token are taken away', async (context) => {
  const refused = /CLUSTER_FORBIDDEN/;
  await report(context, [
    limit(() => whileIssuing(site, { ...rightsGone, name: 'RBAC gone (403) while issuing', reasons: refused })),
    limit(() => beforeExpiry(site, { ...rightsGone, name: 'RBAC gone (403) before expiry', says: /forbidden/ })),
  ]);
});
