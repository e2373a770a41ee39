import { logLevelIn } from '../shared/log-level.ts';
import { createLogger } from '../shared/telemetry/logger.ts';
import { enrol, isUnknown, prepareIdentity, TOKEN_REFUSED } from './enrol.ts';
import { IdentityFile } from './identity-file.ts';
import { readGatewaySettings } from './settings.ts';
import { tunnelServers } from './tunnel-server.ts';

/** Enrols at the first server that answers, unless the identity file has an identity. Ends with exit code 1 where that fails. */
export async function enrolOnce(environment: NodeJS.ProcessEnv): Promise<void> {
  const log = createLogger('leasehold-gateway', logLevelIn(environment));
  try {
    const settings = readGatewaySettings(environment);
    const file = new IdentityFile(settings.LEASEHOLD_GATEWAY_IDENTITY);
    const identity = await prepareIdentity(file, settings.LEASEHOLD_GATEWAY_ENROLMENT_TOKEN);
    if (!('token' in identity)) {
      log.info({ identity: identity.identityId, file: file.path }, 'enrolled already');
      return;
    }
    const failures: unknown[] = [];
    for (const server of tunnelServers(settings)) {
      try {
        const { identityId } = await enrol(server, identity);
        log.info({ identity: identityId, server: server.address, file: file.path }, 'enrolled');
        return;
      } catch (error) {
        if (isUnknown(error)) {
          throw new Error(TOKEN_REFUSED, { cause: error });
        }
        log.warn({ server: server.address, err: error }, 'could not enrol here');
        failures.push(error);
      }
    }
    throw new AggregateError(failures, 'no server took the enrolment');
  } catch (error) {
    log.fatal({ err: error }, 'cannot enrol');
    process.exitCode = 1;
  }
}
