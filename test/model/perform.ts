import { v7 as uuidv7 } from 'uuid';
import type { BatchTarget } from '../../src/shared/domain/batch.ts';
import { requireIntact } from '../../src/shared/domain/damaged-config.ts';
import type { Lease } from '../../src/shared/domain/lease.ts';
import { findConfig } from '../../src/shared/leases/find-config.ts';
import { findLease } from '../../src/shared/leases/find-lease.ts';
import type { MemoryApiServer, StoredObject } from '../fakes/memory-api-server.ts';
import { acknowledgeIssue, acknowledgeRenewal } from './acknowledge.ts';
import type { Action, IssueCall } from './actions.ts';
import { changed, draftOf, READER } from './configs.ts';
import type { ModelWorker } from './worker.ts';
import type { World } from './world.ts';

const PRINCIPAL = 'caller';

/** Where actions happen. */
export interface Stage {
  world: World;
  worker: ModelWorker;
  /** Where false, nothing is done after which only reading back finds what is left. */
  mayList: boolean;
}

type Performances = { [K in Action['do']]: (stage: Stage, action: Extract<Action, { do: K }>) => void };

const PERFORMANCES: Performances = {
  'create config': ({ world }, { name, kind, cluster }) =>
    world.start('create config', (ports) =>
      world.useCases.createConfig(ports, draftOf(name, kind, cluster), 'platform'),
    ),

  'update config': ({ world }, { name, change, revokesOldToken }) => {
    const before = world.storedConfig(name);
    world.start(
      'update config',
      async (ports) =>
        world.useCases.updateConfig(
          ports,
          await findConfig(ports, name),
          '',
          (config) => changed(requireIntact(config), change),
          'platform',
        ),
      {
        result: ({ config: { access } }) => {
          if (revokesOldToken && before && access.id !== before.accessId) {
            world.revokeToken(before.accessId);
          }
        },
      },
    );
  },

  'delete config': ({ world }, { name, revokeLeases }) =>
    world.start('delete config', async (ports) =>
      world.useCases.deleteConfig(ports, await findConfig(ports, name), { etag: '', revokeLeases }),
    ),

  issue: ({ world }, call) => {
    if (call.requestId !== undefined) {
      world.history.requests.push(call);
    }
    issue(world, call);
  },

  repeat: ({ world }, { call, patienceMs }) => {
    const { requests } = world.history;
    const earlier = requests[call % requests.length];
    if (earlier) {
      issue(world, { ...earlier, patienceMs });
    }
  },

  renew: ({ world }, { lease, ttl }) =>
    withLease(world, lease, ({ id }) =>
      world.start('renew', async (ports) => world.useCases.renewLease(ports, await findLease(ports, id), ttl), {
        result: (issued) => acknowledgeRenewal(world, issued),
      }),
    ),

  revoke: ({ world, mayList }, { lease, force }) =>
    withLease(world, lease, ({ id }) =>
      world.start('revoke', async (ports) =>
        world.useCases.revoke(ports, await findLease(ports, id), 'REVOKED', { force: force && mayList }),
      ),
    ),

  batch: ({ world }, { target }) => {
    const asked = { id: uuidv7(), principal: PRINCIPAL, target: TARGETS[target] };
    world.start('start batch', (ports) => world.useCases.startBatch(ports, asked));
  },

  ring: ({ world, worker }, { lease }) => withLease(world, lease, ({ id }) => worker.ring(id)),
  sweep: ({ worker }) => worker.sweep(),
  'read back': ({ worker }) => worker.readBack(),
  'lose alarms': ({ world }) => world.alarm.loseAll(),

  'lose writes': ({ world, mayList }, { count }) => {
    if (mayList) {
      world.history.lostWritesOf(world.records.journal.loseLast(count));
    }
  },

  jump: ({ world, mayList }, { ms }) => {
    if (mayList) {
      world.history.isDisturbed ||= ms > 0;
      world.clock.jump(ms);
    }
  },

  fault: ({ world, mayList }, { fault }) => {
    if (mayList || fault.kind !== 'pauses') {
      world.history.isDisturbed ||= fault.kind === 'pauses';
      world.faults.plan(fault);
    }
  },

  weather: ({ world }, { where, weather }) => world.faults.setWeather(where, weather),

  finalizer: ({ world }, { lease }) =>
    withObjects(world, lease, (server, object) => server.setFinalizers(object, ['wait'])),

  'delete namespace': ({ world }, { cluster, namespace, comesBack, takesRoles }) => {
    const server = world.clusters.server(cluster);
    server.deleteNamespace(namespace);
    if (!takesRoles) {
      server.withoutRoles.delete(namespace);
    }
    if (comesBack) {
      server.createNamespace(namespace);
      server.add({ kind: 'ServiceAccount', namespace, name: READER });
    }
  },

  'replace objects': ({ world }, { lease }) =>
    withObjects(world, lease, (server, object) => {
      server.setFinalizers(object, []);
      server.delete(object);
      server.add(object, { labels: {}, annotations: {} });
    }),
};

const TARGETS: Record<Extract<Action, { do: 'batch' }>['target'], BatchTarget> = {
  config: { kind: 'config', config: 'blue' },
  principal: { kind: 'principal', principal: PRINCIPAL },
  labels: { kind: 'labels', labels: { team: 'blue' } },
  all: { kind: 'all' },
};

function issue(world: World, { config, ttl, namespace, requestId, patienceMs }: IssueCall): void {
  const patience = new AbortController();
  world.clock.after(patienceMs, () => patience.abort());
  const request = { config, ttlSeconds: ttl, namespace, requestId, audiences: [], principal: PRINCIPAL };
  world.start(
    'issue',
    async (ports) => world.useCases.issueLease(ports, await findConfig(ports, config), request, patience.signal),
    {
      result: (issued) => acknowledgeIssue(world, issued, requestId),
    },
  );
}

export function perform(stage: Stage, action: Action): void {
  const performance = PERFORMANCES[action.do] as (stage: Stage, action: Action) => void;
  performance(stage, action);
}

function withLease({ history }: World, count: number, work: (lease: Lease) => void): void {
  const leases = [...history.recorded.values()].filter(({ purpose }) => purpose === 'lease');
  const lease = leases[count % leases.length];
  if (lease) {
    work(lease);
  }
}

/** Somebody else does something to the objects of a lease whose uids are stored: of others nobody could tell whose they are. */
function withObjects(world: World, count: number, work: (server: MemoryApiServer, object: StoredObject) => void): void {
  withLease(world, count, ({ id }) => {
    const uids = new Set(world.storedLease(id)?.objects.map(({ uid }) => uid));
    for (const { url, uid, kind, name } of world.standing().filter(({ leaseId }) => leaseId === id)) {
      const server = world.clusters.server(url);
      const object = server.objects.find((candidate) => candidate.kind === kind && candidate.name === name);
      if (object && uids.has(uid)) {
        work(server, object);
      }
    }
  });
}
