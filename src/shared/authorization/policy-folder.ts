import { CedarAuthorizer } from './cedar-authorizer.ts';
import { readPolicyFiles, readTestFiles } from './policy-files.ts';
import { policyTestsOf } from './policy-test-file.ts';

/** Checks the policies of a folder, as a server does at its start, and returns warnings. Throws PolicyProblem. */
export async function checkPolicies(folder: string): Promise<readonly string[]> {
  return (await open(folder)).warnings;
}

/** What became of a test; `problem` is undefined where it passed. */
interface PolicyTestResult {
  name: string;
  problem: string | undefined;
}

export interface PolicyTestReport {
  results: readonly PolicyTestResult[];
  /** Places of the policies that no test had any use for. */
  untested: readonly string[];
}

/** Asks the policies of a folder what the files in its folder `tests` ask. Throws PolicyProblem. */
export async function testPolicies(folder: string): Promise<PolicyTestReport> {
  const authorizer = await open(folder);
  const untested = new Set(authorizer.places);
  const tests = (await readTestFiles(folder)).flatMap(policyTestsOf);
  const results = tests.map(({ name, question, expect }) => {
    const { allowed, policies, problems } = authorizer.decide(question);
    for (const place of policies) {
      untested.delete(place);
    }
    return { name, problem: problemOf({ answer: allowed ? 'allow' : 'deny', expect, policies, problems }) };
  });
  return { results, untested: [...untested] };
}

async function open(folder: string): Promise<CedarAuthorizer> {
  return new CedarAuthorizer(await readPolicyFiles(folder), () => {});
}

interface Answered {
  answer: 'allow' | 'deny';
  expect: 'allow' | 'deny';
  policies: readonly string[];
  problems: readonly string[];
}

/** A question that could not be decided is no proof of a denial. */
function problemOf({ answer, expect, policies, problems }: Answered): string | undefined {
  if (problems.length > 0) {
    return `could not be decided: ${problems.join('; ')}`;
  }
  const by = policies.length > 0 ? `by ${policies.join(', ')}` : 'no policy permits it';
  return answer === expect ? undefined : `expected ${expect}, got ${answer}: ${by}`;
}
