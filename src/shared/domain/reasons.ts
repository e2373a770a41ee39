/** Names of google.rpc.Code that our errors have. */
type CodeName =
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNAVAILABLE'
  | 'DATA_LOSS';

/** What a reason says: its gRPC code, what it means, and what to do next. */
export type ReasonEntry = readonly [code: CodeName, meaning: string, advice: string];

/**
 * Every reason that an error may have (google.rpc.ErrorInfo.reason, domain `leasehold.dev`). Programs act upon them, so
 * they are part of the interface. docs/errors.md has the same table.
 */
export const REASONS = {
  // What is asked for
  CONFIG_NOT_FOUND: [
    'NOT_FOUND',
    'there is no such config',
    'look at the name; `ListConfigs` shows those that you may see',
  ],
  LEASE_NOT_FOUND: [
    'NOT_FOUND',
    'there is no such lease, or it ended long ago',
    'look at the ID; ended leases are kept for `LEASEHOLD_ENDED_RETENTION`, and only the latest of a caller',
  ],
  BATCH_NOT_FOUND: [
    'NOT_FOUND',
    'there is no such batch, or it ended long ago',
    'look at the ID that `BatchRevokeLeases` returned',
  ],
  GATEWAY_NOT_FOUND: [
    'NOT_FOUND',
    'there is no such gateway',
    'look at the name; `ListGateways` shows those that you may see',
  ],
  CONFIG_NAME_TAKEN: ['ALREADY_EXISTS', 'there is a config of this name', 'choose another name, or update that config'],
  GATEWAY_NAME_TAKEN: ['ALREADY_EXISTS', 'there is a gateway of this name', 'choose another name, or use that gateway'],
  REQUEST_ID_REUSED: [
    'ALREADY_EXISTS',
    'the request_id belongs to another request',
    'use a new request_id for each request',
  ],
  REQUEST_IN_PROGRESS: [
    'ABORTED',
    'another call with this request_id is under way',
    'repeat the call with the same request_id',
  ],
  CONFIG_CHANGED: ['ABORTED', 'the config changed meanwhile', 'read the config again and repeat the call'],
  CONFIG_BEING_DELETED: [
    'FAILED_PRECONDITION',
    'the config is being deleted with its leases',
    'use another config; leases can be issued on it again if the deletion fails',
  ],
  CONFIG_HAS_LIVE_LEASES: [
    'FAILED_PRECONDITION',
    'the config has leases that live',
    'revoke them first, or set `revoke_leases`',
  ],
  LEASES_NOT_REVOKED: [
    'FAILED_PRECONDITION',
    'some leases of the config could not be revoked',
    'see `last_error` of its leases in REVOKING, then repeat the call',
  ],
  LEASE_BEING_ISSUED: ['ABORTED', 'the lease is still being issued', 'repeat the call when the lease is ACTIVE'],
  LEASE_ENDED_MEANWHILE: ['ABORTED', 'the lease ended while it was being issued', 'issue a new lease'],
  LEASE_CHANGED: ['ABORTED', 'the lease changed meanwhile', 'read the lease again and repeat the call'],
  OBJECT_NAME_TAKEN: [
    'ABORTED',
    'something in front of the cluster sends requests twice, so that the cluster has an object of each lease already',
    'stop it from repeating POST requests, or let the cluster token get or list what the message names',
  ],
  LEASE_NOT_ACTIVE: ['FAILED_PRECONDITION', 'the lease is not ACTIVE', 'issue a new lease'],
  LEASE_AT_MAX_TTL: [
    'FAILED_PRECONDITION',
    'the lease is as old as `max_ttl` of its config allows',
    'issue a new lease',
  ],
  LEASE_NOT_GRANTED_ANY_MORE: [
    'FAILED_PRECONDITION',
    'the config would not grant this lease today',
    'issue a new lease within what the config grants',
  ],
  GATEWAY_IN_USE: [
    'FAILED_PRECONDITION',
    'a config or a live lease uses the gateway',
    'move or delete the configs that name it',
  ],
  GATEWAY_STILL_ATTACHED: ['UNAVAILABLE', 'agents of the gateway are still attached', 'repeat the call'],
  GATEWAY_CHANGED: ['ABORTED', 'the gateway changed meanwhile', 'read the gateway again and repeat the call'],
  RELAY_NOT_ENABLED: [
    'FAILED_PRECONDITION',
    'this server takes no gateways',
    'set `LEASEHOLD_RELAY_LISTEN` and its certificate',
  ],
  // Who asks
  CREDENTIALS_MISSING: [
    'UNAUTHENTICATED',
    'the call shows no credentials',
    'send `authorization: Bearer` and a token, or a client certificate',
  ],
  CREDENTIALS_INVALID: [
    'UNAUTHENTICATED',
    'the credentials are not valid here',
    'get new ones; the message says what is wrong',
  ],
  CREDENTIALS_AMBIGUOUS: [
    'UNAUTHENTICATED',
    'the call shows more than one credential',
    'send one: a client certificate that names a caller, or one `authorization: Bearer` token',
  ],
  CREDENTIALS_EXPIRED: ['UNAUTHENTICATED', 'the credentials expired', 'get new ones from their issuer'],
  ISSUER_UNREACHABLE: [
    'UNAVAILABLE',
    'the issuer of the token cannot be asked now',
    'repeat the call; see the server log if it persists',
  ],
  PERMISSION_DENIED: [
    'PERMISSION_DENIED',
    'the policies do not allow the call',
    'ask an operator for a policy that allows it',
  ],
  ENROLMENT_REFUSED: [
    'UNAUTHENTICATED',
    'the enrolment token does not count',
    'make a new one with `CreateEnrolmentToken`',
  ],
  IDENTITY_REFUSED: ['UNAUTHENTICATED', "the agent's identity does not count", 'enrol the agent anew'],
  // How much
  TOO_MANY_LEASES_ON_CONFIG: [
    'RESOURCE_EXHAUSTED',
    'the config has as many live leases as it may',
    'revoke leases that are not needed, or wait for their end',
  ],
  TOO_MANY_LEASES_OF_PRINCIPAL: [
    'RESOURCE_EXHAUSTED',
    'the caller has as many live leases as it may',
    'revoke leases that are not needed, or wait for their end',
  ],
  ISSUE_RATE_EXCEEDED: ['RESOURCE_EXHAUSTED', 'the caller issues leases too fast', 'wait as long as RetryInfo says'],
  QUESTION_RATE_EXCEEDED: [
    'RESOURCE_EXHAUSTED',
    'the caller asks clusters too many questions: a check of a config costs one for each permission',
    'wait as long as RetryInfo says',
  ],
  TRIAL_RATE_EXCEEDED: [
    'RESOURCE_EXHAUSTED',
    'the caller tries configs on clusters too often',
    'wait as long as RetryInfo says',
  ],
  TOO_MANY_CONFIGS_OF_PRINCIPAL: [
    'RESOURCE_EXHAUSTED',
    'the caller has created as many configs as it may',
    'delete configs that are not needed, or raise `LEASEHOLD_MAX_CONFIGS_PER_PRINCIPAL`',
  ],
  TOO_MANY_GATEWAYS_OF_PRINCIPAL: [
    'RESOURCE_EXHAUSTED',
    'the caller has created as many gateways as it may',
    'delete gateways that are not needed, or raise `LEASEHOLD_MAX_GATEWAYS_PER_PRINCIPAL`',
  ],
  TOO_MANY_TRIALS_OF_PRINCIPAL: [
    'RESOURCE_EXHAUSTED',
    'too many trials of configs by the caller are not over',
    'wait until the objects of failed trials are removed from their clusters',
  ],
  TOO_MANY_ENROLLMENT_TOKENS: [
    'RESOURCE_EXHAUSTED',
    'the caller has as many enrollment tokens that have not expired as it may',
    'wait until some expire, and ask for a shorter `token_ttl`',
  ],
  TOO_MANY_IDENTITIES_OF_GATEWAY: [
    'RESOURCE_EXHAUSTED',
    'the gateway has as many enrolled identities as it may',
    'revoke them with `revoke_identities`, and keep the identity file of each agent',
  ],
  TOO_MANY_STREAMS_OF_GATEWAY: [
    'RESOURCE_EXHAUSTED',
    'the gateway has as many connected agents as it may',
    'stop some agents, or use another gateway',
  ],
  TOO_MANY_BATCHES_OF_PRINCIPAL: [
    'RESOURCE_EXHAUSTED',
    'the caller has as many batches that have not ended as it may',
    'wait until some end',
  ],
  TOO_MANY_DELETIONS_OF_CONFIG: [
    'RESOURCE_EXHAUSTED',
    'too many calls delete the config at the same time',
    'wait until they end',
  ],
  TOO_MANY_CALLS: [
    'RESOURCE_EXHAUSTED',
    'the caller has too many calls under way',
    'wait for the end of earlier calls',
  ],
  TOO_MANY_UNAUTHENTICATED_CALLS: [
    'RESOURCE_EXHAUSTED',
    'too many calls whose callers are not known yet',
    'wait as long as RetryInfo says; if it persists, check whether TokenReview answers',
  ],
  // Leasehold's own parts
  STORE_ALMOST_FULL: [
    'RESOURCE_EXHAUSTED',
    'Redis has reached its high-water mark: nothing is issued or created, while revocations and reads go on',
    'repeat the call once leases have ended; an operator can raise the limit of its memory (docs/redis.md)',
  ],
  STORE_UNAVAILABLE: [
    'UNAVAILABLE',
    'Redis cannot be reached or cannot write',
    'repeat the call; see the server log if it persists',
  ],
  STORED_SECRET_DAMAGED: [
    'DATA_LOSS',
    'a stored credential was changed, moved, or sealed under a key that is missing',
    'see docs/keys.md; set the token of the config anew',
  ],
  STORED_RECORD_DAMAGED: ['DATA_LOSS', 'a stored record is cut off or changed', 'restore the store from a backup'],
  // The way to the cluster
  CLUSTER_UNREACHABLE: [
    'UNAVAILABLE',
    'no answer came from the cluster, or none of an API server',
    'repeat the call; look at the URL, the network and the API server if it persists',
  ],
  CLUSTER_NOT_DONE: [
    'UNAVAILABLE',
    'the API server took the call, but its effect is still to come',
    'see which finalizers the object waits for; the lease is retried',
  ],
  CLUSTER_CERTIFICATE_NOT_TRUSTED: [
    'FAILED_PRECONDITION',
    "the API server's certificate does not verify",
    'set `ca_pem` and `server_name` of the config',
  ],
  CLUSTER_ADDRESS_NOT_ALLOWED: [
    'FAILED_PRECONDITION',
    "the cluster's address may not be called",
    'add its network to `LEASEHOLD_ALLOWED_NETWORKS`; if the address is link-local or otherwise never called, correct the URL',
  ],
  CLOCKS_DIFFER: [
    'FAILED_PRECONDITION',
    "the API server's clock and Leasehold's (that of its Redis) are too far apart to say when a lease ends",
    'set the clocks right (NTP); `ahead_seconds` says by how much the API server is ahead',
  ],
  GATEWAY_NOT_CONNECTED: [
    'UNAVAILABLE',
    'no agent of the gateway is connected',
    'look at the agent in the cluster and its log',
  ],
  GATEWAY_REFUSED: [
    'FAILED_PRECONDITION',
    "the gateway's settings do not allow the target",
    'add the target to the settings of the agent',
  ],
  // What the cluster says
  CLUSTER_UNAUTHENTICATED: [
    'FAILED_PRECONDITION',
    'the cluster token is not valid (any more)',
    'set a new token in the config',
  ],
  CLUSTER_FORBIDDEN: [
    'FAILED_PRECONDITION',
    'the cluster token lacks a permission (RBAC)',
    'grant what the message names; `CheckConfig` prints the manifest',
  ],
  CLUSTER_ROLE_NOT_GRANTABLE: [
    'FAILED_PRECONDITION',
    'the cluster token may not hand out the role',
    'grant it the verb `bind` on the role; `CheckConfig` prints the manifest',
  ],
  CLUSTER_ROLE_NOT_FOUND: [
    'FAILED_PRECONDITION',
    'the role does not exist',
    'create the role, or name another in the config',
  ],
  CLUSTER_NAMESPACE_NOT_FOUND: [
    'FAILED_PRECONDITION',
    'the namespace does not exist',
    'create the namespace, or take it out of the config',
  ],
  CLUSTER_NAMESPACE_TERMINATING: [
    'FAILED_PRECONDITION',
    'the namespace is being deleted',
    'wait until it is gone and create it again, or use another',
  ],
  CLUSTER_NOT_FOUND: [
    'FAILED_PRECONDITION',
    'the service account, or the object that the token is bound to, does not exist',
    'create the service account, or name another in the config',
  ],
  CLUSTER_QUOTA_EXCEEDED: [
    'RESOURCE_EXHAUSTED',
    'a ResourceQuota of the namespace is used up',
    'raise the quota or remove what uses it, then repeat the call',
  ],
  CLUSTER_WEBHOOK_DENIED: [
    'FAILED_PRECONDITION',
    'an admission webhook denied the call',
    'change the policy behind the webhook that the message names',
  ],
  CLUSTER_WEBHOOK_FAILED: [
    'UNAVAILABLE',
    'an admission webhook could not be called',
    'repair the webhook that the message names; the call may be repeated',
  ],
  CLUSTER_POLICY_DENIED: [
    'FAILED_PRECONDITION',
    'an admission policy denied the call',
    'change the ValidatingAdmissionPolicy that the message names',
  ],
  CLUSTER_ADMISSION_DENIED: [
    'FAILED_PRECONDITION',
    'an admission plugin of the API server denied the call',
    'change what the message names, for instance a LimitRange',
  ],
  CLUSTER_OBJECT_BEING_DELETED: [
    'UNAVAILABLE',
    'an object of this name is being deleted',
    'see which finalizers it waits for; the call may be repeated',
  ],
  CLUSTER_NAME_TAKEN: [
    'UNAVAILABLE',
    'an object of this name exists that is not of this lease',
    'repeat the call: each lease has names of its own',
  ],
  CLUSTER_CONFLICT: ['UNAVAILABLE', 'the object changed meanwhile', 'repeat the call'],
  CLUSTER_INVALID: [
    'FAILED_PRECONDITION',
    'the API server found the request invalid',
    'change the field of the config that the message names',
  ],
  CLUSTER_OVERLOADED: ['UNAVAILABLE', 'the API server is overloaded (429)', 'wait as long as RetryInfo says'],
  CLUSTER_BROKEN: [
    'UNAVAILABLE',
    'the API server failed (5xx)',
    'repeat the call; look at the API server and etcd if it persists',
  ],
  CLUSTER_REFUSED: [
    'FAILED_PRECONDITION',
    'the cluster refused the call for another reason, perhaps not in the words of an API server',
    'see `http_status` and `cluster_message`; look at what answers at the URL',
  ],
} as const satisfies Record<string, ReasonEntry>;

export type Reason = keyof typeof REASONS;

/** The reasons that have a gRPC code. */
export type ReasonOf<Code extends CodeName> = {
  [R in Reason]: (typeof REASONS)[R][0] extends Code ? R : never;
}[Reason];
