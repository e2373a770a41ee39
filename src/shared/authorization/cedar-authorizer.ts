import {
  type AuthorizationAnswer,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { Authorizer, Question } from '../ports/authorizer.ts';
import { blindPolicies } from './blind-policies.ts';
import { cedarRequest } from './cedar-request.ts';
import type { PolicyFile } from './policy-problem.ts';
import { policySet, SCHEMA } from './policy-set.ts';

/** Under which Cedar keeps the schema for this process. */
const SCHEMA_NAME = 'leasehold';

/** What the policies say of a question. */
export interface Decision {
  allowed: boolean;
  /** Places of the policies that made it so; empty where none permits it. */
  policies: readonly string[];
  /** Why it could not be decided; then it is not allowed. */
  problems: readonly string[];
}

/** Told of what only whoever writes the policies can mend. */
type Shout = (problem: string, question: Question) => void;

let instances = 0;

/** Decides by Cedar policies, which are parsed once. */
export class CedarAuthorizer implements Authorizer {
  /** Cedar keeps policy sets for all of the process. */
  readonly #id = `policies-${instances++}`;
  readonly #shout: Shout;
  /** Problems that were told of: a list may ask the same question a thousand times. */
  #told = new Set<string>();
  #warnings: readonly string[] = [];
  #places: readonly string[] = [];

  /** Throws PolicyProblem. */
  constructor(files: readonly PolicyFile[], shout: Shout) {
    this.#shout = shout;
    requireParsed(preparseSchema(SCHEMA_NAME, SCHEMA));
    this.use(files);
  }

  /** Places of the present policies. */
  get places(): readonly string[] {
    return this.#places;
  }

  /** About the present policies: what is allowed, but likely not meant. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Decides by these from now on. Throws PolicyProblem; then all stays as it was. */
  use(files: readonly PolicyFile[]): void {
    const { policies, warnings } = policySet(files);
    const blind = blindPolicies(policies);
    requireParsed(preparsePolicySet(this.#id, { staticPolicies: policies }));
    requireParsed(preparsePolicySet(this.#blindId, { staticPolicies: blind }));
    this.#told = new Set();
    this.#warnings = warnings;
    this.#places = Object.keys(policies);
  }

  allows(question: Question): boolean {
    const { allowed, problems } = this.decide(question);
    for (const problem of problems) {
      this.#tellOnce(problem, question);
    }
    return allowed;
  }

  /** Like `allows`, and says why. */
  decide(question: Question): Decision {
    try {
      return decisionOf(question.resource.kind === 'any' ? this.#askBlindly(question) : this.#ask(question));
    } catch (error) {
      return { allowed: false, policies: [], problems: [String(error)] };
    }
  }

  #ask(question: Question): AuthorizationAnswer {
    return statefulIsAuthorized({
      ...cedarRequest(question),
      preparsedPolicySetId: this.#id,
      // The question holds to the schema, as the policies do that are asked: so no attribute is missing.
      preparsedSchemaName: SCHEMA_NAME,
      validateRequest: true,
    });
  }

  /** No policy of these looks at conditions, which nobody could tell. */
  #askBlindly(question: Question): AuthorizationAnswer {
    return statefulIsAuthorized({
      ...cedarRequest({ ...question, conditions: {} }),
      preparsedPolicySetId: this.#blindId,
    });
  }

  get #blindId(): string {
    return `${this.#id}-blind`;
  }

  #tellOnce(problem: string, question: Question): void {
    if (!this.#told.has(problem)) {
      this.#told.add(problem);
      this.#shout(problem, question);
    }
  }
}

/** Cedar leaves out a policy that fails. If that is a `forbid`, what it should have prevented would be allowed. */
function decisionOf(answer: AuthorizationAnswer): Decision {
  if (answer.type === 'failure') {
    return { allowed: false, policies: [], problems: answer.errors.map(({ message }) => message) };
  }
  const { decision, diagnostics } = answer.response;
  const problems = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  return { allowed: decision === 'allow' && problems.length === 0, policies: diagnostics.reason, problems };
}

function requireParsed(answer: ReturnType<typeof preparseSchema>): void {
  if (answer.type === 'failure') {
    throw new Error(answer.errors.map(({ message }) => message).join('; '));
  }
}
