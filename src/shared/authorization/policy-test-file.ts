import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ACTIONS, type Conditions, type Question, type Resource } from '../ports/authorizer.ts';
import { type PolicyFile, PolicyProblem } from './policy-problem.ts';

const caller = z.strictObject({
  kind: z.enum(['certificate', 'jwt', 'service-account', 'api-key']),
  id: z.string(),
  issuer: z.string().default('leasehold'),
  groups: z.array(z.string()).default([]),
});

const config = z.strictObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) });

const lease = z
  .strictObject({
    id: z.string().default('a-lease'),
    owner: z.string(),
    namespace: z.string().default('default'),
    config,
  })
  .transform(({ owner, config, ...rest }) => ({ lease: { ...rest, principal: owner }, config }));

const resource = z
  .strictObject({
    config: config.transform((config): Resource => ({ kind: 'config', config })),
    lease: lease.transform((one): Resource => ({ kind: 'lease', ...one })),
    gateway: z.strictObject({ name: z.string() }).transform(({ name }): Resource => ({ kind: 'gateway', name })),
    any: z.enum(['config', 'lease', 'gateway']).transform((of): Resource => ({ kind: 'any', of })),
    installation: z.strictObject({}).transform((): Resource => ({ kind: 'installation' })),
  })
  .partial()
  .transform((given, context) => {
    const [one, ...others] = Object.values(given);
    if (!one || others.length > 0) {
      context.addIssue('must be one of config, lease, gateway, any and installation');
      return z.NEVER;
    }
    return one;
  });

/** Under the names that policies know them by. */
const conditions = z
  .strictObject({
    ttl_seconds: z.int(),
    namespace: z.string(),
    role_kind: z.enum(['Role', 'ClusterRole']),
    cluster_wide: z.boolean(),
    gateway: z.string(),
    revoke_leases: z.boolean(),
    force: z.boolean(),
    revoke_identities: z.boolean(),
    target: z.enum(['config', 'principal', 'labels', 'all']),
    target_owner: z.string(),
    source_ip: z.string(),
    transport: z.enum(['tls', 'mtls', 'plaintext']),
  })
  .partial();

const policyTest = z.strictObject({
  name: z.string(),
  caller,
  action: z.preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(z.enum(ACTIONS)).min(1)),
  resource,
  conditions: conditions.default({}),
  expect: z.enum(['allow', 'deny']),
});

/** A question to the policies, and the answer that they should give. */
export interface PolicyTest {
  /** `file:line: its name`, and the action where there are several. */
  name: string;
  question: Question;
  expect: 'allow' | 'deny';
}

/** Tests of a yaml file: a list, whose form docs/policies.md explains. Throws PolicyProblem. */
export function policyTestsOf({ name, text }: PolicyFile): PolicyTest[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number) => `${name}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0) {
    throw new PolicyProblem(document.errors.map(({ pos, message }) => `${placeOf(pos[0])}: ${message}`));
  }
  const parsed = z.array(policyTest).min(1, 'must be a list of tests').safeParse(document.toJS());
  if (!parsed.success) {
    throw new PolicyProblem(
      parsed.error.issues.map(
        ({ path, message }) => `${placeOf(offsetOf(document, path))}: ${[...path, message].join(': ')}`,
      ),
    );
  }
  return parsed.data.flatMap((test, index) => questionsOf(test, placeOf(offsetOf(document, [index]))));
}

/** Where in the text a value is, or what it is missing from. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  const node = document.getIn(path, true);
  if (isNode(node)) {
    return node.range?.[0] ?? 0;
  }
  return path.length > 0 ? offsetOf(document, path.slice(0, -1)) : 0;
}

function questionsOf(test: z.infer<typeof policyTest>, place: string): PolicyTest[] {
  const { source_ip: sourceIp, transport = 'tls' } = test.conditions;
  return test.action.map((action) => ({
    name: `${place}: ${test.name}${test.action.length > 1 ? ` (${action})` : ''}`,
    question: {
      principal: test.caller,
      action,
      resource: test.resource,
      conditions: conditionsOf(test.conditions),
      origin: { sourceIp, transport },
    },
    expect: test.expect,
  }));
}

function conditionsOf(given: z.infer<typeof conditions>): Conditions {
  return {
    ttlSeconds: given.ttl_seconds,
    namespace: given.namespace,
    roleKind: given.role_kind,
    clusterWide: given.cluster_wide,
    gateway: given.gateway,
    revokeLeases: given.revoke_leases,
    force: given.force,
    revokeIdentities: given.revoke_identities,
    target: given.target,
    targetPrincipal: given.target_owner,
  };
}
