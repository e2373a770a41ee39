import { Config } from '../../gen/leasehold/v1/config.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { listed } from '../../shared/domain/shorten.ts';

/** Each path of an update mask, and how it carries a value from the caller's config to the stored one. */
const SETTERS: Record<string, (target: Config, source: Config) => void> = {
  default_ttl: (target, source) => {
    target.defaultTtl = source.defaultTtl;
  },
  max_ttl: (target, source) => {
    target.maxTtl = source.maxTtl;
  },
  audiences: (target, source) => {
    target.audiences = source.audiences;
  },
  labels: (target, source) => {
    target.labels = source.labels;
  },
  direct: (target, source) => setAccess(target, source, 'direct'),
  'direct.url': (target, source) => setDirect(target, source, 'url'),
  'direct.tls': (target, source) => setDirect(target, source, 'tls'),
  'direct.token': (target, source) => setDirect(target, source, 'token'),
  'direct.renew_token': (target, source) => setDirect(target, source, 'renewToken'),
  'direct.gateway': (target, source) => setDirect(target, source, 'gateway'),
  gateway: (target, source) => setAccess(target, source, 'gateway'),
  static: (target, source) => setCredential(target, source, 'static'),
  dynamic: (target, source) => setCredential(target, source, 'dynamic'),
};

/** Whether a path of a mask is about how the cluster is reached. */
export function isOfAccess(path: string): boolean {
  return path === '*' || /^(?:direct|gateway)(?:\.|$)/.test(path);
}

/** `stored` with the fields that `paths` name taken from `wanted`; `*` takes all (AIP-134). Throws InvalidArgument. */
export function applyFieldMask(stored: Config, wanted: Config, paths: readonly string[]): Config {
  if (paths.length === 0) {
    throw new InvalidArgument([{ field: 'update_mask', description: 'must name the fields to change, or *' }]);
  }
  if (paths.includes('*')) {
    return wanted;
  }
  const unknown = paths.filter((path) => !Object.hasOwn(SETTERS, path));
  if (unknown.length > 0) {
    const description = `${listed(unknown)} cannot be changed; these can: ${Object.keys(SETTERS).join(', ')}`;
    throw new InvalidArgument([{ field: 'update_mask', description }]);
  }
  const result = Config.fromPartial(stored);
  for (const path of paths) {
    SETTERS[path]?.(result, wanted);
  }
  return result;
}

function setAccess(target: Config, source: Config, kind: 'direct' | 'gateway'): void {
  if (source.access?.$case !== kind) {
    throw new InvalidArgument([{ field: `config.${kind}`, description: 'is required by the update_mask' }]);
  }
  target.access = source.access;
}

function setDirect(target: Config, source: Config, field: 'url' | 'tls' | 'token' | 'renewToken' | 'gateway'): void {
  if (target.access?.$case === 'direct' && source.access?.$case === 'direct') {
    target.access = { $case: 'direct', value: { ...target.access.value, [field]: source.access.value[field] } };
  } else {
    throw new InvalidArgument([{ field: 'config.direct', description: 'is required by the update_mask' }]);
  }
}

function setCredential(target: Config, source: Config, kind: 'static' | 'dynamic'): void {
  if (source.credential?.$case !== kind) {
    throw new InvalidArgument([{ field: `config.${kind}`, description: 'is required by the update_mask' }]);
  }
  target.credential = source.credential;
}
