import { v7 as uuidv7 } from 'uuid';
import { ClusterRefused } from '../domain/cluster-error.ts';
import type { Config, DirectAccess } from '../domain/config.ts';
import { LeaseholdError } from '../domain/errors.ts';
import type { Secret } from '../domain/secret.ts';
import type { Ports } from '../ports/ports.ts';
import { onTrial } from './on-trial.ts';
import { renewalOf, renewalPermissions, type TokenRenewal } from './token-renewal.ts';

/** A cluster token has no successor, and why. */
class NotRenewed extends LeaseholdError {}

/**
 * Gives a config a new token of the account that its token is of, and so another access: leases that are out are taken down
 * with that, or with the one under which they were issued. The new token is tried before it is stored. Throws NotRenewed
 * or a ClusterError, and Aborted where the config was changed meanwhile; then it is as it was, and a token that was made
 * for nothing ends by itself.
 */
export async function renewClusterToken(
  ports: Ports,
  config: Config & { access: DirectAccess },
  { account, audiences, seconds, expireTime }: TokenRenewal,
): Promise<void> {
  const cluster = ports.clusters.at(config.access, { purpose: 'question', principal: undefined });
  const nowThere = async () => ports.clock.now() + (await cluster.clockAheadMs());
  const minted = await cluster.mintToken(account, { audiences, seconds }).catch(async (error: unknown) => {
    throw isUnknown(error) && expireTime <= (await nowThere()) ? tooLate(expireTime, error) : error;
  });
  const access: DirectAccess = { ...config.access, id: uuidv7(), token: minted.token };
  requireSuccessor(account, minted.token, await nowThere());
  await tryOut(ports, access);
  await onTrial(ports, { access }, () => ports.configs.replace({ ...config, access, version: config.version + 1 }));
  ports.log.info(
    { config: config.name, expireTime: new Date(minted.expireTime).toISOString() },
    'cluster token renewed',
  );
}

/** Whether the API server does not know the token that it was shown. By what clock, only it can say. */
function isUnknown(error: unknown): error is ClusterRefused {
  return error instanceof ClusterRefused && error.refusal.status === 401;
}

function tooLate(expireTime: number, cause: ClusterRefused): NotRenewed {
  return new NotRenewed(
    `the cluster token expired at ${new Date(expireTime).toISOString()}, and cannot be renewed any more: give the config another one (UpdateConfig, direct.token)`,
    { cause },
  );
}

/** What answers at the URL could give the token of another account, or one that renews nothing. */
function requireSuccessor({ namespace, name }: TokenRenewal['account'], token: Secret, now: number): void {
  const how = renewalOf(token);
  if ('problem' in how) {
    throw new NotRenewed(`the token that the cluster gave ${how.problem}`);
  }
  const { account, expireTime } = how.renewal;
  if (account.namespace !== namespace || account.name !== name) {
    throw new NotRenewed(
      `the cluster gave a token of ${account.namespace}/${account.name}, not of ${namespace}/${name}`,
    );
  }
  if (expireTime <= now) {
    throw new NotRenewed('the token that the cluster gave has expired already');
  }
}

/**
 * Whether it is let in: a question that changes nothing. What is answered does not matter, nor a refusal: the API
 * server asks who calls first.
 */
async function tryOut(ports: Ports, access: DirectAccess): Promise<void> {
  const cluster = ports.clusters.at(access, { purpose: 'trial', principal: undefined });
  try {
    for (const permission of renewalPermissions(access)) {
      await cluster.canI(permission);
    }
  } catch (error) {
    const status = error instanceof ClusterRefused ? error.refusal.status : 401;
    if (status === 401 || status === 429 || status >= 500) {
      throw error;
    }
  }
}
