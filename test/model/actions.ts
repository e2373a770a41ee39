import fc from 'fast-check';
import type { Fault, FaultKind, Service, Weather } from './faults.ts';
import { MAX_TTL_SECONDS } from './policy.ts';

/** What a config grants: with objects in one namespace or the whole cluster, a Secret, or nothing but the token. */
export type Kind = 'namespaced' | 'cluster-wide' | 'revocable' | 'static';

export type ConfigChange = 'token' | 'cluster' | 'narrower' | 'wider' | Kind;

/** Something that happens. `lease` counts through the leases that there have been. */
export type Action =
  | { do: 'create config'; name: string; kind: Kind; cluster: string }
  | { do: 'update config'; name: string; change: ConfigChange; revokesOldToken: boolean }
  | { do: 'delete config'; name: string; revokeLeases: boolean }
  | { do: 'issue'; config: string; ttl: number; namespace: string; requestId: string | undefined; patienceMs: number }
  /** Once more one of the calls to issue that had a request_id. */
  | { do: 'repeat'; call: number; patienceMs: number }
  | { do: 'renew'; lease: number; ttl: number }
  | { do: 'revoke'; lease: number; force: boolean }
  | { do: 'batch'; target: 'config' | 'principal' | 'labels' | 'all' }
  | { do: 'ring'; lease: number }
  | { do: 'sweep' }
  | { do: 'read back' }
  | { do: 'lose alarms' }
  | { do: 'lose writes'; count: number }
  | { do: 'jump'; ms: number }
  | { do: 'fault'; fault: Fault }
  | { do: 'weather'; where: string; weather: Weather }
  | { do: 'finalizer'; lease: number }
  /** With all that is in it. Its roles go with it, or Leasehold's rights are of the whole cluster. */
  | { do: 'delete namespace'; cluster: string; namespace: string; comesBack: boolean; takesRoles: boolean }
  | { do: 'replace objects'; lease: number };

export type IssueCall = Omit<Extract<Action, { do: 'issue' }>, 'do'>;

/** An action, and how much time passes before the next one. */
interface Step {
  action: Action;
  thenMs: number;
}

/** A life of a Leasehold, as it can be repeated. */
export interface Life {
  /** Of what is left to chance: how long calls take, and what backoff adds. */
  seed: number;
  /** Whether cluster tokens may list objects. Without it nothing is found that only reading back can find. */
  mayList: boolean;
  /** Whether they may read namespaces. */
  mayReadNamespaces: boolean;
  /** What the configs grant that there are from the beginning. */
  kinds: readonly Kind[];
  steps: readonly Step[];
}

/** How often what happens: a mix of actions by their weights. */
export type Mix = Partial<Record<Action['do'], number>>;

export const CLUSTERS = ['https://a.test', 'https://b.test'];
export const NAMESPACES = ['one', 'two'];
export const CONFIGS = ['blue', 'green'];

const KINDS: Kind[] = ['namespaced', 'cluster-wide', 'revocable', 'static'];
const CHANGES: ConfigChange[] = ['token', 'cluster', 'narrower', 'wider', ...KINDS];
const SERVICES: Service[] = ['cluster', 'store', 'alarm'];
const FAULTS: FaultKind[] = ['fails', 'answer lost', 'late', 'dies before', 'dies after', 'dies, late', 'pauses'];
const WEATHER: Weather[] = ['fine', 'down', 'hangs', 'forbids', 'throttles', 'breaks'];

const lease = fc.nat(7);
const config = fc.constantFrom(...CONFIGS);
/** How long a caller waits. */
const patienceMs = fc.constantFrom(60_000, 60_000, 20);
const ttl = fc.constantFrom(1, 30, 600, MAX_TTL_SECONDS);

const ARBITRARIES: { [K in Action['do']]: fc.Arbitrary<Extract<Action, { do: K }>> } = {
  'create config': fc.record({
    do: fc.constant('create config'),
    name: config,
    kind: fc.constantFrom(...KINDS),
    cluster: fc.constantFrom(...CLUSTERS),
  }),
  'update config': fc.record({
    do: fc.constant('update config'),
    name: config,
    change: fc.constantFrom(...CHANGES),
    revokesOldToken: fc.boolean(),
  }),
  'delete config': fc.record({ do: fc.constant('delete config'), name: config, revokeLeases: fc.boolean() }),
  issue: fc.record({
    do: fc.constant('issue'),
    config,
    ttl,
    namespace: fc.constantFrom(...NAMESPACES),
    requestId: fc.constantFrom(undefined, 'r1', 'r2'),
    patienceMs,
  }),
  repeat: fc.record({ do: fc.constant('repeat'), call: fc.nat(3), patienceMs }),
  renew: fc.record({ do: fc.constant('renew'), lease, ttl }),
  revoke: fc.record({ do: fc.constant('revoke'), lease, force: fc.constantFrom(false, false, true) }),
  batch: fc.record({
    do: fc.constant('batch'),
    target: fc.constantFrom('config', 'principal', 'labels', 'all'),
  }),
  ring: fc.record({ do: fc.constant('ring'), lease }),
  sweep: fc.record({ do: fc.constant('sweep') }),
  'read back': fc.record({ do: fc.constant('read back') }),
  'lose alarms': fc.record({ do: fc.constant('lose alarms') }),
  'lose writes': fc.record({ do: fc.constant('lose writes'), count: fc.integer({ min: 1, max: 12 }) }),
  jump: fc.record({ do: fc.constant('jump'), ms: fc.constantFrom(1_000, 90_000, 600_000, -1_000, -90_000, -600_000) }),
  fault: fc.record({
    do: fc.constant('fault'),
    fault: fc.record({
      service: fc.constantFrom(...SERVICES),
      skip: fc.nat(6),
      kind: fc.constantFrom(...FAULTS),
    }),
  }),
  weather: fc.record({
    do: fc.constant('weather'),
    where: fc.constantFrom('store', ...CLUSTERS, ...CLUSTERS),
    weather: fc.constantFrom(...WEATHER),
  }),
  finalizer: fc.record({ do: fc.constant('finalizer'), lease }),
  'delete namespace': fc.record({
    do: fc.constant('delete namespace'),
    cluster: fc.constantFrom(...CLUSTERS),
    namespace: fc.constantFrom(...NAMESPACES),
    comesBack: fc.boolean(),
    takesRoles: fc.boolean(),
  }),
  'replace objects': fc.record({ do: fc.constant('replace objects'), lease }),
};

/** Lives in which actions happen as often as the mix says. */
export function livesOf(mix: Mix): fc.Arbitrary<Life> {
  const weighted = Object.entries(mix).map(([name, weight]) => ({
    weight,
    arbitrary: ARBITRARIES[name as Action['do']] as fc.Arbitrary<Action>,
  }));
  const step = fc.record({
    action: fc.oneof(...weighted),
    thenMs: fc.constantFrom(5_000, 0, 3, 20, 500, 40_000, 700_000),
  });
  return fc.record({
    seed: fc.nat(),
    mayList: fc.boolean(),
    mayReadNamespaces: fc.boolean(),
    kinds: fc.tuple(...CONFIGS.map(() => fc.constantFrom(...KINDS))),
    steps: fc.array(step, { minLength: 1, maxLength: 14 }),
  });
}
