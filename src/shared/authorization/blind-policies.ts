import { type Clause, type Policy, type PolicyJson, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';

/**
 * The policies as they are for somebody who knows of the resource only the type, and of the conditions, most of which
 * follow from the resource, only where the call comes from. What these permit, the given ones permit on every resource of
 * that type: a `permit` that looks at what is unknown is left out, and a `forbid` counts as if it had found what it looks
 * for.
 */
export function blindPolicies(policies: Record<string, Policy>): Record<string, Policy> {
  const blind: Record<string, Policy> = {};
  for (const [id, policy] of Object.entries(policies)) {
    const seen = jsonOf(policy);
    const kept = seen.effect === 'forbid' ? forbidBlindly(seen) : permitBlindly(seen);
    if (kept) {
      blind[id] = kept;
    }
  }
  return blind;
}

function jsonOf(policy: Policy): PolicyJson {
  const answer = policyToJson(policy);
  if (answer.type === 'failure') {
    throw new Error(answer.errors.map(({ message }) => message).join('; '));
  }
  return answer.json;
}

function permitBlindly(policy: PolicyJson): PolicyJson | undefined {
  return namesResource(policy) || policy.conditions.some(looksAtUnknown) ? undefined : policy;
}

function forbidBlindly(policy: PolicyJson): PolicyJson {
  return {
    ...policy,
    resource: namesResource(policy) ? { op: 'All' } : policy.resource,
    conditions: policy.conditions.filter((clause) => !looksAtUnknown(clause)),
  };
}

/** Whether its scope is about more than the type. */
function namesResource({ resource }: PolicyJson): boolean {
  return resource.op !== 'All' && !(resource.op === 'is' && resource.in === undefined);
}

/** Conditions that say where the call comes from. */
const OF_THE_ORIGIN = ['transport', 'source_ip'];

/** Entities that come with the caller; all others come with the resource. */
const OF_THE_CALLER = ['Leasehold::Caller', 'Leasehold::Group'];

function looksAtUnknown({ body }: Clause): boolean {
  return mentionsUnknown(body);
}

/** Whether a part of Cedar's JSON form of an expression is about the resource, or such a condition. */
function mentionsUnknown(part: unknown): boolean {
  if (!isObject(part) || readsOrigin(part['.']) || readsOrigin(part['has'])) {
    return false;
  }
  const { Var, __entity } = part;
  return (
    Var === 'resource' ||
    Var === 'context' ||
    (isObject(__entity) && !OF_THE_CALLER.includes(String(__entity['type']))) ||
    Object.values(part).some(mentionsUnknown)
  );
}

/** Of `context.transport` and `context has transport`. */
function readsOrigin(access: unknown): boolean {
  return (
    isObject(access) &&
    isObject(access['left']) &&
    access['left']['Var'] === 'context' &&
    OF_THE_ORIGIN.includes(String(access['attr']))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
