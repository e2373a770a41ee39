import pLimit from 'p-limit';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { LeaseholdClient } from '../support/leasehold.ts';
import { DYNAMIC, STATIC } from './installation.ts';
import { beforeExpiry, type Fault, type Scene, TTL, whileIssuing } from './refused-calls.ts';
import { report } from './report.ts';
import { openSite, type Site } from './site.ts';
import { liveLeases } from './verdict.ts';

// A namespace is deleted, and with it the Role that lets Leasehold act there.

const AT_ONCE = 4;

const limit = pLimit(AT_ONCE);

let site: Site;
beforeAll(async () => {
  site = await openSite();
});

const nothingToRepair = async () => undefined;

const deleted: Pick<Fault, 'strike'> = {
  async strike({ place }, callers) {
    // Once it is Terminating, the API server still lets pass what it had admitted before.
    await place.admin.beginDeletingNamespace(place.namespace);
    await callers?.moreRefused(4);
    await place.admin.deleteNamespace(place.namespace);
    await place.untilMayDelete(false);
    return nothingToRepair;
  },
};

/** Where nothing proves that they are gone, an operator says so. */
const endedByForce: Pick<Fault, 'strike' | 'mayReadNamespace'> = {
  mayReadNamespace: false,
  async strike(scene, callers) {
    await deleted.strike(scene, callers);
    return () => revokeByForce(scene.client);
  },
};

/** An issue does not wait long for the uid of its namespace. Without it, a namespace of that name proves nothing. */
async function keepThoseThatKnowTheirNamespace({ installation, client }: Scene): Promise<void> {
  const unknown = await eventually(async () => {
    await installation.issue(TTL);
    const live = await liveLeases(installation);
    const without = live.filter(({ namespaceUid }) => namespaceUid === undefined);
    expect(without.length).toBeLessThan(live.length);
    return without;
  });
  await Promise.all(unknown.map(({ id }) => client.leases.revokeLease({ id })));
}

async function revokeByForce({ leases }: LeaseholdClient): Promise<void> {
  const messages = await Array.fromAsync(
    leases.batchRevokeLeases({ target: { $case: 'all', value: true }, force: true }),
  );
  expect(messages.at(-1)).toMatchObject({ done: true, failedCount: 0 });
}

test.concurrent('a namespace is deleted in the midst of issuing', async (context) => {
  await report(
    context,
    ([DYNAMIC, STATIC] as const).map((config) =>
      limit(() => whileIssuing(site, { ...deleted, name: `namespace deleted while issuing, ${config}`, config })),
    ),
  );
});

test.concurrent('a namespace is deleted before the leases in it expire', async (context) => {
  await report(context, [
    limit(() => beforeExpiry(site, { ...deleted, name: 'namespace deleted before expiry' })),
    limit(() =>
      beforeExpiry(site, {
        ...deleted,
        name: 'namespace deleted before expiry, and created again',
        async strike(scene) {
          const { admin, namespace } = scene.place;
          await keepThoseThatKnowTheirNamespace(scene);
          await deleted.strike(scene);
          await admin.core.createNamespace({ body: { metadata: { name: namespace } } });
          return nothingToRepair;
        },
      }),
    ),
  ]);
});

test.concurrent('a namespace is deleted, and Leasehold may not see that', async (context) => {
  await report(context, [
    limit(() => whileIssuing(site, { ...endedByForce, name: 'namespace deleted unseen while issuing, then force' })),
    limit(() =>
      beforeExpiry(site, {
        ...endedByForce,
        name: 'namespace deleted unseen before expiry, then force',
        says: /was deleted/,
      }),
    ),
  ]);
});
