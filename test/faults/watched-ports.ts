import type { Ports } from '../../src/shared/ports/ports.ts';

/** Stands before and after each call of a port. */
export interface Watcher {
  before(step: string): void;
  after(step: string): void;
}

/** The same ports, with somebody who watches each call: `leases.save(ACTIVE)`, `cluster.create(RoleBinding)`. */
export function watchedPorts(ports: Ports, watcher: Watcher): Ports {
  return {
    ...ports,
    configs: watched('configs', ports.configs, watcher),
    leases: watched('leases', ports.leases, watcher),
    batches: watched('batches', ports.batches, watcher),
    alarm: watched('alarm', ports.alarm, watcher),
    clusters: { at: (access, use) => watched('cluster', ports.clusters.at(access, use), watcher) },
  };
}

function watched<T extends object>(room: string, port: T, watcher: Watcher): T {
  return new Proxy(port, {
    get(_, name) {
      const method: unknown = Reflect.get(port, name);
      if (typeof method !== 'function') {
        return method;
      }
      return (...args: unknown[]) => {
        const step = `${room}.${String(name)}${aspectOf(args[0])}`;
        watcher.before(step);
        return watchEnd(method.apply(port, args), () => watcher.after(step));
      };
    },
  });
}

/** What a call is about: the state of a lease, the kind of an object. */
function aspectOf(argument: unknown): string {
  const { state, kind } = Object(argument) as { state?: unknown; kind?: unknown };
  const aspect = state ?? kind;
  return typeof aspect === 'string' ? `(${aspect})` : '';
}

function watchEnd(result: unknown, onEnd: () => void): unknown {
  return result instanceof Promise ? result.finally(onEnd) : watchPages(result as AsyncIterable<unknown>, onEnd);
}

async function* watchPages(pages: AsyncIterable<unknown>, onEnd: () => void): AsyncIterable<unknown> {
  yield* pages;
  onEnd();
}
