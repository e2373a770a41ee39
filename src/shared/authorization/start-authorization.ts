import type { Authorizer } from '../ports/authorizer.ts';
import { WatchedFiles } from '../watched-files.ts';
import { CedarAuthorizer } from './cedar-authorizer.ts';
import { policyPaths, SHIPPED_POLICIES } from './policy-files.ts';

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** An authorizer whose policies follow their files until it is stopped. */
export interface Authorization {
  authorizer: Authorizer;
  stop(): void;
}

/**
 * Decides by the policies of a folder, or by the shipped ones, and follows their changes. Policies that cannot be used
 * are logged as an error, and those before stay. Throws an Error where the first cannot be used.
 */
export async function startAuthorization(
  folder: string | undefined,
  log: Log,
  lookEveryMs?: number,
): Promise<Authorization> {
  const from = folder ?? SHIPPED_POLICIES;
  let authorizer: CedarAuthorizer | undefined;
  const files = await WatchedFiles.open({
    what: 'the policies',
    setting: 'LEASEHOLD_POLICIES',
    paths: () => policyPaths(from),
    parse(contents, paths) {
      const policies = paths.map((name, index) => ({ name, text: String(contents[index]) }));
      if (authorizer) {
        authorizer.use(policies);
      } else {
        authorizer = new CedarAuthorizer(policies, (problem, { principal, action }) =>
          log.error({ problem, action, principal }, 'policies could not be asked: denied'),
        );
      }
      tellWarnings(authorizer.warnings, log);
      return authorizer;
    },
    log,
    ...(lookEveryMs === undefined ? {} : { everyMs: lookEveryMs }),
  });
  return { authorizer: files.current, stop: () => files.close() };
}

function tellWarnings(warnings: readonly string[], log: Log): void {
  if (warnings.length > 0) {
    log.warn({ warnings }, 'policies are likely not what was meant');
  }
}
