import { type Config, namespacesOf } from '../domain/config.ts';
import { permissionsFor } from '../domain/permissions.ts';
import type { Ports } from '../ports/ports.ts';
import { renewalPermissions } from './token-renewal.ts';

type Asked = Pick<Config, 'access' | 'credential'>;

/**
 * Calls to the cluster that a check of a config takes at most: one for each permission, a dry run for each role that may
 * have to be bound to tell, one for each object that it names. A trial takes no more.
 */
function questionsOf({ access, credential }: Asked): number {
  const permissions = [...permissionsFor(credential), ...renewalPermissions(access)];
  const dryRuns = permissions.filter(({ verb }) => verb === 'bind').length;
  const inEachNamespace = credential.kind === 'dynamic' && credential.role.kind === 'Role';
  const objects = inEachNamespace ? namespacesOf(credential).length : 1;
  return permissions.length + dryRuns + objects;
}

/** For a check of a config that is stored: its cluster is asked. Throws ResourceExhausted before it is. */
export async function chargeCheck({ callBudgets }: Pick<Ports, 'callBudgets'>, principal: string, config: Asked) {
  await callBudgets.admitQuestions(principal, questionsOf(config));
}

/**
 * For whatever calls a cluster, or what is no cluster, as the caller has just written it: a config that is created or
 * changed, and a check of a draft. Throws ResourceExhausted before it is called.
 */
export async function chargeTrial({ callBudgets }: Pick<Ports, 'callBudgets'>, principal: string, config: Asked) {
  await callBudgets.admitTrial(principal);
  await callBudgets.admitQuestions(principal, questionsOf(config));
}
