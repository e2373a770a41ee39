import { readFileSync } from 'node:fs';
import {
  checkParsePolicySet,
  type DetailedError,
  type Policy,
  policySetTextToParts,
  type ValidationAnswer,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { type PolicyFile, PolicyProblem, problemsIn } from './policy-problem.ts';

/** What policies may speak of. */
export const SCHEMA = readFileSync(new URL('./leasehold.cedarschema', import.meta.url), 'utf8');

/** Policies that hold to the schema, each under its place: `file:line:column`. */
export interface PolicySet {
  policies: Record<string, Policy>;
  /** What is allowed, but is likely not meant, as a policy that can never apply. */
  warnings: readonly string[];
}

/** Throws PolicyProblem with all that is wrong in any of the files. */
export function policySet(files: readonly PolicyFile[]): PolicySet {
  const checked = files.map((file) => ({ file, ...check(file) }));
  const problems = checked.flatMap(({ errors }) => errors);
  if (problems.length > 0) {
    throw new PolicyProblem(problems);
  }
  const policies = Object.fromEntries(files.flatMap(policiesByPlace));
  if (Object.keys(policies).length === 0) {
    throw new PolicyProblem([
      `no policy in ${files.map(({ name }) => name).join(', ') || 'any .cedar file'}: nobody could do anything`,
    ]);
  }
  return { policies, warnings: checked.flatMap(({ warnings }) => warnings) };
}

function check(file: PolicyFile): { errors: string[]; warnings: string[] } {
  const policies = { staticPolicies: file.text };
  const parsed = checkParsePolicySet(policies);
  if (parsed.type === 'failure') {
    return { errors: problemsIn(file, parsed.errors), warnings: [] };
  }
  return findings(file, validate({ schema: SCHEMA, policies }));
}

function findings(file: PolicyFile, answer: ValidationAnswer): { errors: string[]; warnings: string[] } {
  if (answer.type === 'failure') {
    return { errors: problemsIn(file, answer.errors), warnings: [] };
  }
  return {
    errors: problemsIn(file, answer.validationErrors.map(withoutPolicyId)),
    warnings: problemsIn(file, answer.validationWarnings.map(withoutPolicyId)),
  };
}

/** Cedar numbers the policies of a text, which tells a reader nothing. */
function withoutPolicyId({ error, policyId }: { error: DetailedError; policyId: string }): DetailedError {
  return { ...error, message: error.message.replace(`for policy \`${policyId}\`, `, '') };
}

function policiesByPlace({ name, text }: PolicyFile): [string, Policy][] {
  const parts = policySetTextToParts(text);
  if (parts.type === 'failure') {
    throw new PolicyProblem(problemsIn({ name, text }, parts.errors));
  }
  const seen = new Map<string, number>();
  return parts.policies.map((policy) => {
    // The same policy may stand twice in a file.
    const start = text.indexOf(policy, (seen.get(policy) ?? -1) + 1);
    seen.set(policy, start);
    const lines = text.slice(0, start).split('\n');
    return [`${name}:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`, policy];
  });
}
