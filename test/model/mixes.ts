import type { Mix } from './actions.ts';

const CALLS: Mix = { issue: 10, repeat: 3, renew: 3, revoke: 3, ring: 1, sweep: 1, 'read back': 1 };
const CONFIGS: Mix = { 'create config': 2, 'update config': 2, 'delete config': 2, batch: 2 };
const TROUBLE: Mix = {
  fault: 6,
  weather: 2,
  'lose alarms': 1,
  finalizer: 1,
  'replace objects': 1,
  'delete namespace': 1,
};

/** Mixes of what happens, each with another trouble at its centre. */
export const MIXES: Record<string, Mix> = {
  'calls whose outcome is unknown, and processes that die': { ...CALLS, fault: 12 },
  'clusters and a store that are away': { ...CALLS, weather: 6, finalizer: 2, 'replace objects': 2, batch: 1 },
  'namespaces that are deleted, with the roles in them': {
    ...CALLS,
    'delete namespace': 6,
    fault: 4,
    weather: 1,
    batch: 1,
  },
  'configs that change under their leases': { ...CALLS, ...CONFIGS, fault: 3, weather: 2 },
  'a store that loses alarms and its last writes, and a clock that jumps': {
    ...CALLS,
    'lose alarms': 3,
    'lose writes': 3,
    jump: 2,
    fault: 3,
    'create config': 1,
  },
  'all of it': { ...CALLS, ...CONFIGS, ...TROUBLE, 'lose writes': 1, jump: 1 },
};
