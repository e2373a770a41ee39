import { z } from 'zod';
import { Config as ConfigMessage } from '../../gen/leasehold/v1/config.ts';
import { parseAnchors } from '../../shared/domain/certificates.ts';
import {
  type Access,
  type AccessDraft,
  type ConfigDraft,
  type Endpoint,
  sameEndpoint,
  type TlsOptions,
} from '../../shared/domain/config.ts';
import { InvalidArgument } from '../../shared/domain/errors.ts';
import { canonicalServerName } from '../../shared/domain/host.ts';
import { parseBaseUrl } from '../../shared/domain/https-url.ts';
import { PATH_SEGMENT } from '../../shared/domain/kubernetes-names.ts';
import { Malformed } from '../../shared/domain/malformed.ts';
import { Secret } from '../../shared/domain/secret.ts';
import { minTtlSeconds } from '../../shared/domain/ttl.ts';
import { textField } from '../../shared/text-field.ts';
import { audiences, dnsLabel, dnsSubdomain, emptyAsUndefined, kubernetesLabels, wholeSeconds } from './fields.ts';
import { parse } from './parse.ts';

const MAX_CA_BYTES = 64 * 1024;

/** Not judged again where it is as it is stored: what was stored before a rule came must not stop other changes. */
const unlessStored = <T>(stored: string | undefined, parseText: (text: string) => T) =>
  textField((text) => (text === stored ? text : parseText(text)));

const tls = (stored?: TlsOptions) =>
  z
    .object({
      caPem: unlessStored(stored?.caPem, parseCa),
      insecureSkipVerify: z.boolean(),
      serverName: unlessStored(stored?.serverName, (name) => (name === '' ? undefined : canonicalServerName(name))),
    })
    .default({ caPem: undefined, insecureSkipVerify: false, serverName: undefined });

function parseCa(text: string): string | undefined {
  if (text === '') {
    return undefined;
  }
  requireShortCa(text);
  const { pem } = parseAnchors(text);
  // It may have become longer: what is stored has line breaks.
  requireShortCa(pem);
  return pem;
}

function requireShortCa(pem: string): void {
  if (Buffer.byteLength(pem) > MAX_CA_BYTES) {
    throw new Malformed('must have at most 64 KiB, in lines of 64 characters');
  }
}

const token = z
  .string()
  .max(16384, 'must have at most 16384 characters')
  .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII without blanks');

const direct = (stored?: Pick<Endpoint, 'url' | 'tls'>) =>
  z
    .object({
      url: unlessStored(stored?.url, parseBaseUrl),
      tls: tls(stored?.tls),
      token,
      renewToken: z.boolean(),
      gateway: emptyAsUndefined.pipe(dnsLabel.optional()),
    })
    .transform(({ gateway, ...endpoint }) => ({ ...endpoint, gateway }));

const staticCredential = z
  .object({ namespace: dnsLabel, serviceAccount: dnsSubdomain, revocable: z.boolean() })
  .transform((fields) => ({ kind: 'static' as const, ...fields }));

const role = z.object(
  {
    kind: z
      .enum({ ROLE_KIND_ROLE: 1, ROLE_KIND_CLUSTER_ROLE: 2 }, 'must be ROLE_KIND_ROLE or ROLE_KIND_CLUSTER_ROLE')
      .transform((kind) => (kind === 1 ? ('Role' as const) : ('ClusterRole' as const))),
    name: z.string().regex(PATH_SEGMENT, "must be the name of a role: 1 to 253 characters, no blanks, '/' or '%'"),
  },
  'is required',
);

const dynamicCredential = z
  .object({
    allowedNamespaces: z
      .array(dnsLabel)
      .min(1, 'must name at least one namespace')
      .max(64, 'must name at most 64 namespaces')
      .refine((list) => new Set(list).size === list.length, 'must not repeat'),
    role,
    bindingScope: z
      .enum({ UNSPECIFIED: 0, NAMESPACE: 1, CLUSTER: 2 }, 'must be BINDING_SCOPE_NAMESPACE or BINDING_SCOPE_CLUSTER')
      .transform((scope) => (scope === 2 ? ('cluster' as const) : ('namespace' as const))),
  })
  .refine(({ role, bindingScope }) => bindingScope === 'namespace' || role.kind === 'ClusterRole', {
    path: ['bindingScope'],
    message: 'must be BINDING_SCOPE_NAMESPACE for a Role: only a ClusterRole can be bound in the whole cluster',
  })
  .transform((fields) => ({ kind: 'dynamic' as const, ...fields }));

/** Both oneofs laid flat, so that the paths of violations are those of the proto. */
const flatConfig = (stored?: Access) =>
  z
    .object({
      name: dnsLabel,
      defaultTtl: wholeSeconds,
      maxTtl: wholeSeconds,
      audiences,
      labels: kubernetesLabels,
      direct: direct(stored?.kind === 'direct' ? stored : undefined).optional(),
      gateway: z.object({ name: dnsLabel }).optional(),
      static: staticCredential.optional(),
      dynamic: dynamicCredential.optional(),
    })
    .check(({ value, issues }) => {
      if (!value.direct && !value.gateway) {
        issues.push({ code: 'custom', path: ['access'], message: 'must be direct or gateway', input: value });
      }
      const credential = value.static ?? value.dynamic;
      if (!credential) {
        issues.push({ code: 'custom', path: ['credential'], message: 'must be static or dynamic', input: value });
        return;
      }
      const least = minTtlSeconds(credential);
      if (value.defaultTtl < least) {
        const message = `must be at least ${least} s: Kubernetes mints no shorter token, and a static one cannot be revoked unless it is revocable`;
        issues.push({ code: 'custom', path: ['defaultTtl'], message, input: value });
      }
      if (value.defaultTtl > value.maxTtl) {
        issues.push({ code: 'custom', path: ['defaultTtl'], message: 'must not be above max_ttl', input: value });
      }
    });

/**
 * A config as a caller wrote it. Where the message has no token, which is never shown to those who change a config, that
 * of `stored` stands in; a URL, a CA and a server name that are as in `stored` are taken over. Throws InvalidArgument.
 */
export function parseConfigDraft(message: ConfigMessage | undefined, stored?: Access): ConfigDraft {
  const flat = parse(flatConfig(stored), flatten(message ?? ConfigMessage.create()), 'config');
  const credential = flat.static ?? flat.dynamic;
  if (!credential) {
    throw violation('credential', 'is required');
  }
  return {
    name: flat.name,
    defaultTtlSeconds: flat.defaultTtl,
    maxTtlSeconds: flat.maxTtl,
    audiences: flat.audiences,
    labels: flat.labels,
    access: accessDraft(flat, stored),
    credential,
  };
}

function accessDraft(
  { direct, gateway }: z.infer<ReturnType<typeof flatConfig>>,
  stored: Access | undefined,
): AccessDraft {
  if (gateway) {
    return { kind: 'gateway', gateway: gateway.name };
  }
  if (!direct) {
    throw violation('access', 'is required');
  }
  const { token, ...endpoint } = direct;
  return { kind: 'direct', ...endpoint, token: token === '' ? storedToken(endpoint, stored) : new Secret(token) };
}

/** A stored token goes only where its owner sent it: whoever may change a config could else have it sent to himself. */
function storedToken(endpoint: Endpoint, stored: Access | undefined): Secret {
  if (stored?.kind !== 'direct') {
    throw violation('direct.token', 'is required');
  }
  if (!sameEndpoint(endpoint, { ...stored, gateway: stored.gateway?.name })) {
    throw violation(
      'direct.token',
      'must be given with another url, tls or gateway: the stored token is not sent elsewhere',
    );
  }
  return stored.token;
}

function violation(field: string, description: string): InvalidArgument {
  return new InvalidArgument([{ field: `config.${field}`, description }]);
}

function flatten({ access, credential, ...fields }: ConfigMessage): object {
  return {
    ...fields,
    ...(access ? { [access.$case]: access.value } : {}),
    ...(credential ? { [credential.$case]: credential.value } : {}),
  };
}
