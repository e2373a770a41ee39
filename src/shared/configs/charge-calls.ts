import { type Config, namespacesOf } from '../domain/config.ts';
import { permissionsFor } from '../domain/permissions.ts';
import type { Ports } from '../ports/ports.ts';
import { renewalPermissions } from './token-renewal.ts';

type Asked = Pick<Config, 'access' | 'credential'>;

/** A trial lease: two objects and a token are made, its namespace is read, and the objects are removed. */
const CALLS_OF_A_TRIAL_LEASE = 6;

/** For a check of a config that is stored: its cluster is asked. Throws ResourceExhausted before it is. */
export async function chargeCheck({ callBudgets }: Pick<Ports, 'callBudgets'>, principal: string, config: Asked) {
  await callBudgets.admitQuestions(principal, callsOfCheck(config));
}

/**
 * For a call that connects to an address that the caller has just written, be it a cluster or not: one that creates or
 * changes a config, or checks a draft. Throws ResourceExhausted before it connects.
 */
export async function chargeTrial({ callBudgets }: Pick<Ports, 'callBudgets'>, principal: string, config: Asked) {
  await callBudgets.admitTrial(principal, Math.max(callsOfCheck(config), callsOfTrial(config)));
}

/**
 * One for each permission, a dry run for each role that may have to be bound to tell, one for each object that the
 * config names. That is the most where the cluster answers SelfSubjectAccessReviews; one that fails them is tried once
 * more for each permission (`askPermissions`), which is not known in advance. It covers the proof of another token as
 * well, which does not ask what is optional, and asks the token before at most once in a namespace instead of dry runs
 * there.
 */
function callsOfCheck({ access, credential }: Asked): number {
  const permissions = [...permissionsFor(credential), ...renewalPermissions(access)];
  const dryRuns = permissions.filter(({ verb }) => verb === 'bind').length;
  return permissions.length + dryRuns + objectsIn(credential);
}

/** At most: may the objects of leases be removed, the objects that the config names, and a lease in each namespace. */
function callsOfTrial({ access, credential }: Asked): number {
  const deletes = permissionsFor(credential).filter(({ verb }) => verb === 'delete').length;
  const leases = namespacesOf(credential).length * CALLS_OF_A_TRIAL_LEASE;
  return renewalPermissions(access).length + deletes + objectsIn(credential) + leases;
}

function objectsIn(credential: Config['credential']): number {
  const inEachNamespace = credential.kind === 'dynamic' && credential.role.kind === 'Role';
  return inEachNamespace ? namespacesOf(credential).length : 1;
}
