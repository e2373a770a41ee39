import type { Reason } from './reasons.ts';

/** One of the causes in the details of a Status. */
interface RefusalCause {
  reason: string;
  message: string;
}

/** What an API server answers when it refuses: an HTTP status, and a Status object where it is one that answers. */
export interface Refusal {
  status: number;
  /** The API server's own words, without tokens. */
  message: string;
  /** Kubernetes' word for the cause, for instance NotFound; empty where no API server said one. */
  reason: string;
  /** The object that the refusal is about; empty where it names none. */
  objectName: string;
  /** What it said to wait (Retry-After). */
  retryAfterMs: number | undefined;
  /** The HTTP status as the Status object repeats it. */
  code?: number | undefined;
  /** What kind of object it is about, as the Status has it: mostly a resource (`serviceaccounts`), sometimes a kind. */
  objectKind?: string;
  /** API group of that; empty for the core group. */
  objectGroup?: string;
  causes?: readonly RefusalCause[];
}

/** What comes before the words of an admission plugin (k8s.io/apiserver/pkg/admission/errors.go and its webhooks' errors). */
const BEFORE_ADMISSION = /^(?:\S+ "[^"]*" is forbidden: |\S+ is forbidden: |Internal error occurred: )/;

/**
 * What an API server's words begin with, whatever the HTTP status: a webhook and a policy choose that themselves. The
 * first two are followed by the text of somebody else, so they are looked for first.
 */
const BY_WORDS: readonly (readonly [RegExp, Reason])[] = [
  [/^admission webhook "[^"]*" (?:denied|does not support)/, 'CLUSTER_WEBHOOK_DENIED'],
  [/^(?:Validating|Mutating)AdmissionPolicy '/, 'CLUSTER_POLICY_DENIED'],
  [/^failed calling (?:admission )?webhook "/, 'CLUSTER_WEBHOOK_FAILED'],
  [
    /^(?:exceeded quota|failed quota|status unknown for quota|insufficient quota|resource quota evaluation timed out)\b/,
    'CLUSTER_QUOTA_EXCEEDED',
  ],
  [/^unable to create new content in namespace \S+ because it is being terminated/, 'CLUSTER_NAMESPACE_TERMINATING'],
  [/^user ".*\bis attempting to grant RBAC permissions not currently held/s, 'CLUSTER_ROLE_NOT_GRANTABLE'],
  // Admission plugins whose caches are not filled yet: the API server starts.
  [/^not yet ready to handle request/, 'CLUSTER_BROKEN'],
];

/** By the resource that is missing, in the API server's own words (NewNotFound of k8s.io/apimachinery). */
const NOT_FOUND: Readonly<Partial<Record<string, Reason>>> = {
  namespaces: 'CLUSTER_NAMESPACE_NOT_FOUND',
  roles: 'CLUSTER_ROLE_NOT_FOUND',
  clusterroles: 'CLUSTER_ROLE_NOT_FOUND',
  serviceaccounts: 'CLUSTER_NOT_FOUND',
  secrets: 'CLUSTER_NOT_FOUND',
};

/** Why a cluster refused a call, as callers are told (google.rpc.ErrorInfo.reason). `verb`: of the call. */
export function reasonOf(refusal: Refusal, verb: string): Reason {
  const words = refusal.message.replace(BEFORE_ADMISSION, '');
  const [, byWords] = BY_WORDS.find(([pattern]) => pattern.test(words)) ?? [];
  if (byWords) {
    return byWords;
  }
  if (refusal.causes?.some(({ reason }) => reason === 'NamespaceTerminating')) {
    return 'CLUSTER_NAMESPACE_TERMINATING';
  }
  return byStatus(refusal, verb, words);
}

function byStatus(refusal: Refusal, verb: string, words: string): Reason {
  const { status, reason, message, objectKind = '' } = refusal;
  switch (status) {
    case 401:
      return 'CLUSTER_UNAUTHENTICATED';
    case 403:
      return words !== message && !isOfAuthorizer(words) ? 'CLUSTER_ADMISSION_DENIED' : 'CLUSTER_FORBIDDEN';
    case 404:
      // A delete has its own judgment of what counts as gone: what did not count says nothing of an object.
      return (reason === 'NotFound' && verb !== 'delete' && NOT_FOUND[objectKind]) || 'CLUSTER_REFUSED';
    case 409:
      return conflict(reason, words);
    case 422:
      return 'CLUSTER_INVALID';
    case 429:
      return 'CLUSTER_OVERLOADED';
    default:
      return status >= 500 ? 'CLUSTER_BROKEN' : 'CLUSTER_REFUSED';
  }
}

/** k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go: `User "x" cannot get resource "pods" ...`. */
function isOfAuthorizer(words: string): boolean {
  return /^User ".*" cannot /s.test(words) || / cannot \w+ (?:resource|path) "/.test(words);
}

/** k8s.io/apiserver/pkg/registry/generic/registry/store.go, Create. */
function conflict(reason: string, words: string): Reason {
  if (/\bis being deleted\b/.test(words)) {
    return 'CLUSTER_OBJECT_BEING_DELETED';
  }
  return reason === 'AlreadyExists' ? 'CLUSTER_NAME_TAKEN' : 'CLUSTER_CONFLICT';
}
