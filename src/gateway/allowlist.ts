import { z } from 'zod';
import { DNS_LABEL, DNS_SUBDOMAIN, PATH_SEGMENT } from '../shared/domain/kubernetes-names.ts';
import { parseJson } from '../shared/domain/parse-json.ts';
import {
  accessReview,
  clusterRoleBinding,
  deleteOptions,
  LEASE_OBJECT,
  rehearsedClusterRoleBinding,
  rehearsedRoleBinding,
  roleBinding,
  secret,
  serviceAccount,
  tokenRequest,
} from './request-bodies.ts';

/** What stands for `{...}` in a path. Nothing that is percent-encoded is let through but in the name of a role. */
const SEGMENTS: Readonly<Record<string, (segment: string) => boolean>> = {
  '{namespace}': (segment) => DNS_LABEL.test(segment),
  '{account}': (segment) => DNS_SUBDOMAIN.test(segment),
  '{ours}': (segment) => LEASE_OBJECT.test(segment),
  '{role}': isRoleName,
};

/**
 * Names of roles may have colons and more (`system:node`). One counts only as Leasehold writes it: each character that
 * needs it encoded, once, and no other, so that there is one way to read it.
 */
function isRoleName(segment: string): boolean {
  try {
    const name = decodeURIComponent(segment);
    return PATH_SEGMENT.test(name) && encodeURIComponent(name) === segment;
  } catch (error) {
    if (!(error instanceof URIError)) {
      throw error;
    }
    return false;
  }
}

const JSON_TYPE = 'application/json';

/** A verb of RBAC in HTTP. A list is of metadata only, as is what is found: no Secret's data comes out. */
const VERBS = {
  get: { method: 'GET', accept: JSON_TYPE },
  find: { method: 'GET', accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
  list: { method: 'GET', accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
  create: { method: 'POST', accept: JSON_TYPE },
  delete: { method: 'DELETE', accept: JSON_TYPE },
} as const;

const dryRun = z.strictObject({ dryRun: z.literal('All') });

/** Only of objects that Leasehold made: the annotations of others may hold what their Secrets do. */
const page = z.strictObject({
  labelSelector: z
    .string()
    .regex(
      /^app\.kubernetes\.io\/managed-by=leasehold,leasehold\.dev\/installation=[-a-z0-9]+(?:,leasehold\.dev\/lease=[-0-9a-f]{36},leasehold\.dev\/config=[-a-z0-9]+)?$/,
    ),
  limit: z.string().regex(/^[1-9]\d{0,2}$/),
  continue: z
    .string()
    .regex(/^[\w=-]{1,4096}$/)
    .optional(),
});

const SERVICE_ACCOUNTS = '/api/v1/namespaces/{namespace}/serviceaccounts';
const SECRETS = '/api/v1/namespaces/{namespace}/secrets';
const ROLE_BINDINGS = '/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings';
const CLUSTER_ROLE_BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const ROLES = '/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles';
const CLUSTER_ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
const ACCESS_REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

/** Characters of what is said about a body: its keys may be as long as it is, and would fill the log. */
const MAX_PROBLEM = 256;

interface Row {
  verb: keyof typeof VERBS;
  path: string;
  /** Left out: none. */
  query?: z.ZodType;
  /** Left out: none. A function: for the namespace of the path. */
  body?: z.ZodType | ((namespace: string) => z.ZodType);
}

/** All calls that leases need. Whatever no row describes is refused, and does not reach the API server. */
const ALLOWLIST: readonly Row[] = [
  { verb: 'get', path: '/version' },
  { verb: 'create', path: ACCESS_REVIEWS, body: accessReview },

  { verb: 'get', path: '/api/v1/namespaces/{namespace}' },

  { verb: 'get', path: `${SERVICE_ACCOUNTS}/{account}` },
  { verb: 'find', path: `${SERVICE_ACCOUNTS}/{ours}` },
  { verb: 'list', path: SERVICE_ACCOUNTS, query: page },
  { verb: 'create', path: SERVICE_ACCOUNTS, body: serviceAccount },
  { verb: 'delete', path: `${SERVICE_ACCOUNTS}/{ours}`, body: deleteOptions },
  { verb: 'create', path: `${SERVICE_ACCOUNTS}/{account}/token`, body: tokenRequest },

  { verb: 'find', path: `${SECRETS}/{ours}` },
  { verb: 'list', path: SECRETS, query: page },
  { verb: 'create', path: SECRETS, body: secret },
  { verb: 'delete', path: `${SECRETS}/{ours}`, body: deleteOptions },

  { verb: 'find', path: `${ROLE_BINDINGS}/{ours}` },
  { verb: 'list', path: ROLE_BINDINGS, query: page },
  { verb: 'create', path: ROLE_BINDINGS, body: roleBinding },
  { verb: 'create', path: ROLE_BINDINGS, query: dryRun, body: rehearsedRoleBinding },
  { verb: 'delete', path: `${ROLE_BINDINGS}/{ours}`, body: deleteOptions },

  { verb: 'find', path: `${CLUSTER_ROLE_BINDINGS}/{ours}` },
  { verb: 'list', path: CLUSTER_ROLE_BINDINGS, query: page },
  { verb: 'create', path: CLUSTER_ROLE_BINDINGS, body: clusterRoleBinding },
  { verb: 'create', path: CLUSTER_ROLE_BINDINGS, query: dryRun, body: rehearsedClusterRoleBinding },
  { verb: 'delete', path: `${CLUSTER_ROLE_BINDINGS}/{ours}`, body: deleteOptions },

  { verb: 'get', path: `${ROLES}/{role}` },
  { verb: 'get', path: `${CLUSTER_ROLES}/{role}` },
];

/** A request as it came, before its body. */
export interface RequestHead {
  method: string | undefined;
  /** The request target of its first line, as it stood there. */
  target: string | undefined;
  accept: string | undefined;
  contentType: string | undefined;
}

/** A call that the allowlist has, put together anew: nothing is copied from the request but what was checked. */
export interface AllowedCall {
  method: 'GET' | 'POST' | 'DELETE';
  /** Its answer may be large. */
  isList: boolean;
  /** With its query. */
  path: string;
  accept: string;
  /** JSON; undefined where the call has none. */
  body: string | undefined;
}

/** The allowlist does not have it. The message says what of it. */
export class NotAllowed extends Error {
  override readonly name = 'NotAllowed';
}

/** Finds the row that a request falls under; what it returns checks the body. Both throw NotAllowed. */
export function admit({ method, target = '', accept, contentType }: RequestHead): (body: string) => AllowedCall {
  const [path = '', query] = splitOnce(target, '?');
  const row = ALLOWLIST.find(
    (candidate) =>
      VERBS[candidate.verb].method === method &&
      VERBS[candidate.verb].accept === accept &&
      pathFits(candidate.path, path) &&
      queryFits(candidate.query, query),
  );
  if (!row) {
    throw new NotAllowed('no row has this method, path, query and Accept');
  }
  if (row.body && contentType !== JSON_TYPE) {
    throw new NotAllowed(`its content type must be ${JSON_TYPE}`);
  }
  const schema = typeof row.body === 'function' ? row.body(namespaceIn(path)) : row.body;
  const isList = row.verb === 'list';
  return (body) => ({ ...VERBS[row.verb], isList, path: target, body: checkedBody(schema, body) });
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Segment by segment, on the text as it came: there is no decoding that an API server could do otherwise. */
function pathFits(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const actual = path.split('/');
  return (
    actual.length === expected.length &&
    expected.every((segment, index) => {
      const type = SEGMENTS[segment];
      return type ? type(actual[index] ?? '') : segment === actual[index];
    })
  );
}

function namespaceIn(path: string): string {
  return /\/namespaces\/([^/]+)/.exec(path)?.[1] ?? '';
}

/** Each parameter once, and written as Leasehold writes it. */
function queryFits(schema: z.ZodType | undefined, query: string | undefined): boolean {
  if (!schema || query === undefined) {
    return schema === undefined && query === undefined;
  }
  const parameters = Object.fromEntries(new URLSearchParams(query));
  return String(new URLSearchParams(parameters)) === query && schema.safeParse(parameters).success;
}

/** Written anew from what was parsed: no two parsers can see different things in it. */
function checkedBody(schema: z.ZodType | undefined, body: string): string | undefined {
  if (!schema) {
    if (body !== '') {
      throw new NotAllowed('it has no body');
    }
    return undefined;
  }
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new NotAllowed(`its body: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.slice(0, MAX_PROBLEM));
  }
  return JSON.stringify(parsed.data);
}
