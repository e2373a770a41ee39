import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { isAbortError } from 'abort-controller-x';
import type { Authorizer } from '../ports/authorizer.ts';
import { CedarAuthorizer } from './cedar-authorizer.ts';
import { readPolicyFiles, SHIPPED_POLICIES } from './policy-files.ts';
import type { PolicyFile } from './policy-problem.ts';

/** How often the folder is looked at. */
const LOOK_EVERY_MS = 1_000;

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** An authorizer whose policies follow their files until it is stopped. */
export interface Authorization {
  authorizer: Authorizer;
  stop(): Promise<void>;
}

/**
 * Decides by the policies of a folder, or by the shipped ones, and follows their changes. Policies that cannot be used
 * are logged as an error, and those before stay. Throws PolicyProblem where the first cannot be used.
 */
export async function startAuthorization(
  folder: string | undefined,
  log: Log,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<Authorization> {
  const from = folder ?? SHIPPED_POLICIES;
  const files = await readPolicyFiles(from);
  const authorizer = new CedarAuthorizer(files, (problem, { principal, action }) =>
    log.error({ problem, action, principal }, 'policies could not be asked: denied'),
  );
  tellWarnings(authorizer.warnings, log);
  const stopping = new AbortController();
  const following = follow(from, files, lookEveryMs, stopping.signal, (changed) => use(authorizer, changed, from, log));
  return {
    authorizer,
    async stop() {
      stopping.abort();
      await following;
    },
  };
}

/** What a look at the folder showed. */
type Look = PolicyFile[] | { problem: string };

/** A change counts when two looks show the same: nobody writes several files at one moment. */
async function follow(
  folder: string,
  first: Look,
  everyMs: number,
  signal: AbortSignal,
  tell: (look: Look) => void,
): Promise<void> {
  let [told, before] = [first, first];
  while (await hasWaited(everyMs, signal)) {
    const now = await look(folder);
    if (isDeepStrictEqual(now, before) && !isDeepStrictEqual(now, told)) {
      told = now;
      tell(now);
    }
    before = now;
  }
}

async function look(folder: string): Promise<Look> {
  try {
    return await readPolicyFiles(folder);
  } catch (error) {
    return { problem: String(error) };
  }
}

function use(authorizer: CedarAuthorizer, found: Look, folder: string, log: Log): void {
  try {
    if ('problem' in found) {
      throw new Error(found.problem);
    }
    authorizer.use(found);
    log.info({ folder, files: found.map(({ name }) => name) }, 'policies changed');
    tellWarnings(authorizer.warnings, log);
  } catch (error) {
    log.error({ folder, err: error }, 'the changed policies cannot be used: those before stay in force');
  }
}

function tellWarnings(warnings: readonly string[], log: Log): void {
  if (warnings.length > 0) {
    log.warn({ warnings }, 'policies are likely not what was meant');
  }
}

async function hasWaited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch (error) {
    if (isAbortError(error)) {
      return false;
    }
    throw error;
  }
}
