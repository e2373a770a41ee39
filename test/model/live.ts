import type { Lease } from '../../src/shared/domain/lease.ts';
import { ownLabels, readMarks } from '../../src/shared/domain/marks.ts';
import { CLUSTERS, CONFIGS, type Kind, type Life, NAMESPACES } from './actions.ts';
import { draftOf, READER } from './configs.ts';
import { perform } from './perform.ts';
import { BOUND_MS, POLICY, READ_BACK_INTERVAL_MS, SLACK_MS } from './policy.ts';
import type { Planted } from './use-cases.ts';
import type { Invariant, Violation } from './violation.ts';
import { ModelWorker } from './worker.ts';
import { INSTALLATION, World } from './world.ts';

/** How often it is looked whether all has gone, before that counts as never. */
const LOOKS = 12;

/** Lives a life, then lets all go well and waits. Throws the first Violation that was seen. */
export async function live(life: Life, planted?: Planted): Promise<void> {
  const { seed, mayList, kinds, steps } = life;
  const world = new World(seed, planted);
  await furnish(world, life);
  for (const [index, name] of CONFIGS.entries()) {
    await storeConfig(world, name, kinds[index] ?? 'namespaced', CLUSTERS[index] ?? '');
  }
  const worker = new ModelWorker(world);
  for (const { action, thenMs } of steps) {
    perform({ world, worker, mayList }, action);
    await world.clock.advance(thenMs, worker);
    throwFirst(world.history.violations);
  }
  endFaults(world);
  // What is to come comes so much later as the clock was set back.
  await world.clock.advance(BOUND_MS + world.clock.setBack, worker);
  checkDue(world);
  throwFirst(world.history.violations);
  await outlast(world, worker, mayList);
  checkGone(world);
  throwFirst(world.history.violations);
}

/** Both clusters have accounts for static leases, and objects that are none of ours. */
async function furnish(world: World, { mayList, mayReadNamespaces }: Life): Promise<void> {
  for (const url of CLUSTERS) {
    const server = world.clusters.server(url);
    server.namespacesAreReadable = mayReadNamespaces;
    for (const namespace of NAMESPACES) {
      server.add({ kind: 'ServiceAccount', namespace, name: READER });
      const labels = { ...ownLabels('another'), 'leasehold.dev/lease': 'of-another' };
      const annotations = { 'leasehold.dev/expires-at': '2000-01-01T00:00:00Z' };
      server.add({ kind: 'ServiceAccount', namespace, name: 'of-another' }, { labels, annotations });
    }
    if (!mayList) {
      for (const resource of ['serviceaccounts', 'rolebindings', 'clusterrolebindings', 'secrets']) {
        server.unlisted.add(resource);
      }
    }
  }
}

async function storeConfig(world: World, name: string, kind: Kind, url: string): Promise<void> {
  const { access, ...draft } = draftOf(name, kind, url);
  const now = world.clock.now();
  const config = {
    ...draft,
    access: { ...access, id: name, configUid: name },
    uid: name,
    version: 1,
    createTime: now,
    updateTime: now,
  };
  await world.configs.keepAccess(config.access);
  await world.configs.create(config);
  world.records.journal.commit();
}

function endFaults({ faults, clusters }: World): void {
  faults.stop();
  for (const server of clusters.servers.values()) {
    server.revokedTokens.clear();
    server.withoutRoles.clear();
    for (const object of server.objects) {
      server.setFinalizers(object, []);
    }
  }
}

/** Every lease whose time has come is gone; those that live have all they need. */
function checkDue(world: World): void {
  const { history, clock } = world;
  const now = clock.now();
  for (const lease of world.liveLeases()) {
    const isDue = lease.expireTime < now - SLACK_MS || lease.state !== 'ACTIVE';
    history.require(
      !isDue,
      brokenBy(world, lease),
      () => `lease ${lease.id} is ${lease.state} long after the last fault`,
    );
  }
  for (const [id] of history.acknowledged) {
    const isKnown = world.storedLease(id) !== undefined || history.tainted.has(id);
    history.require(isKnown, 6, () => `lease ${id}, whose token is out, is not accounted for`);
  }
  for (const event of history.toBeLogged) {
    history.require(history.logged.has(event), 9, () => `the log does not tell of: ${event}`);
  }
}

/** A lease that stays was forgotten with its alarm, which rings never or late; or it was given up, though that rings. */
function brokenBy({ alarm, clock }: World, { id }: Lease): Invariant {
  const ringsAt = alarm.ringsAt(id) ?? Number.POSITIVE_INFINITY;
  return ringsAt > clock.now() + POLICY.retry.maxMs ? 6 : 5;
}

/** Waits until every lease has ended and, where it may list, every cluster was read back. */
async function outlast(world: World, worker: ModelWorker, mayList: boolean): Promise<void> {
  worker.slowDown(5);
  if (mayList) {
    // Places that no config names any more are read back once an operator names them again.
    for (const [index, url] of CLUSTERS.entries()) {
      await storeConfig(world, `operator-${index}-namespaced`, 'namespaced', url);
      await storeConfig(world, `operator-${index}-cluster-wide`, 'cluster-wide', url);
      await storeConfig(world, `operator-${index}-revocable`, 'revocable', url);
    }
  }
  for (let look = 0; look < LOOKS && (world.liveLeases().length > 0 || world.standing().length > 0); look++) {
    await world.clock.advance(READ_BACK_INTERVAL_MS, worker);
    worker.readBack();
  }
  await world.clock.advance(SLACK_MS, worker);
}

function checkGone(world: World): void {
  const { history } = world;
  for (const lease of world.liveLeases()) {
    history.violated(brokenBy(world, lease), `lease ${lease.id} is ${lease.state} for ever`);
  }
  for (const object of world.standing()) {
    const lease = world.storedLease(object.leaseId);
    const until = readMarks(object, INSTALLATION)?.expireTime ?? Number.NaN;
    history.violated(
      7,
      `${object.name} stands for ever; its lease is ${lease?.state}, its own end was ${new Date(until).toISOString()}`,
    );
  }
}

function throwFirst([first]: readonly Violation[]): void {
  if (first) {
    throw first;
  }
}
