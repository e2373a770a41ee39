import type { Alarm, Appointment } from '../../src/shared/ports/alarm.ts';
import type { Ports } from '../../src/shared/ports/ports.ts';
import { MemoryCallBudgets } from '../fakes/memory-call-budgets.ts';
import { MemoryRenewalNotes } from '../fakes/memory-renewal-notes.ts';
import { POLICY } from './policy.ts';
import type { Destination, Process } from './process.ts';
import { mentionsSecret } from './secrets.ts';
import { WitnessedCluster } from './witnessed-cluster.ts';
import { WitnessedLeases } from './witnessed-leases.ts';
import { INSTALLATION, type World } from './world.ts';

/** The world as a process sees it: its calls take time, meet faults, and are watched. */
export function portsOf(world: World, process: Process): Ports {
  const { clock, random } = world;
  return {
    leases: new WitnessedLeases(world, process),
    configs: through(process, { service: 'store' }, world.configs),
    batches: through(process, { service: 'store' }, world.batches),
    callBudgets: new MemoryCallBudgets(clock.now),
    gateways: world.gateways,
    gatewayLinks: world.gatewayLinks,
    // No cluster token of the model is to be renewed.
    renewalNotes: new MemoryRenewalNotes(),
    alarm: through(process, { service: 'alarm' }, witnessedAlarm(world)),
    clusters: { at: (access) => new WitnessedCluster(world, process, access) },
    log: witnessedLog(world),
    clock: { now: clock.now, sleep: clock.sleep },
    random,
    policy: POLICY,
    installation: INSTALLATION,
  };
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** `target`, each of whose methods is a call of the process. */
function through<T extends object>(process: Process, to: Destination, target: T): T {
  return new Proxy(target, {
    get: (_, name) => {
      const method = target[name as keyof T] as Method;
      return (...args: unknown[]) => process.call(to, () => method.apply(target, args));
    },
  });
}

function witnessedAlarm({ alarm, history }: World): Alarm {
  const note = ({ leaseId, at }: Appointment) => {
    history.alarms.set(leaseId, Math.min(at, history.alarms.get(leaseId) ?? Number.POSITIVE_INFINITY));
  };
  return {
    async set(appointments) {
      appointments.forEach(note);
      await alarm.set(appointments);
    },
    async move(appointment) {
      note(appointment);
      await alarm.move(appointment);
    },
    wakeForBatch: (id) => alarm.wakeForBatch(id),
  };
}

/** What happened, as the messages of the log have it. */
const EVENTS: Record<string, string> = {
  'lease issued': 'issued',
  'lease renewed': 'renewed',
  'lease ended': 'ended',
  'trial ended': 'ended',
  'lease ended by force; objects may remain': 'ended',
};

function witnessedLog({ history }: World): Ports['log'] {
  const note = (fields: Record<string, unknown>, message: string) => {
    history.require(!mentionsSecret({ fields, message }), 8, () => `the log shows a secret: ${message}`);
    const event = EVENTS[message];
    if (event) {
      const { lease, state, principal, config } = fields;
      history.logged.add(event === 'ended' ? `${event} ${lease} ${state} ${principal} ${config}` : `${event} ${lease}`);
    }
  };
  return { info: note, warn: note };
}
