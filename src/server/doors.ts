import { startAuthorization } from '../shared/authorization/start-authorization.ts';
import type { Principal } from '../shared/domain/principal.ts';
import { EgressGuard } from '../shared/kubernetes/egress/egress-guard.ts';
import type { Authorizer } from '../shared/ports/authorizer.ts';
import type { Settings } from '../shared/settings.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import type { Credentials } from './authentication/authenticator.ts';
import { Callers } from './authentication/callers.ts';
import { openTransport, type Transport } from './transport/open-transport.ts';

/** What a call passes before the RPCs: how it comes in, who it is, and what it may do. */
export interface Doors {
  transport: Pick<Transport, 'isTls' | 'credentials' | 'clientCertificates'>;
  /** Throws Unauthenticated or Unavailable. */
  authenticate(credentials: Credentials): Promise<Principal>;
  authorizer: Authorizer;
  /** Ends the watching of their files. */
  close(): void;
}

/** As the settings say. Throws an Error where they, or the files that they name, are wrong. */
export async function openDoors(settings: Settings, log: Logger): Promise<Doors> {
  const transport = await openTransport(settings, log);
  const egress = new EgressGuard(settings.LEASEHOLD_ALLOWED_NETWORKS);
  const callers = await Callers.open(requiredCallers(settings), log, egress);
  const { authorizer, stop } = await startAuthorization(settings.LEASEHOLD_POLICIES, log);
  return {
    transport,
    authenticate: (credentials) => callers.authenticate(credentials),
    authorizer,
    close() {
      stop();
      callers.close();
      transport.close();
    },
  };
}

function requiredCallers({ LEASEHOLD_CALLERS: path }: Settings): string {
  if (path === undefined) {
    throw new Error('the server needs LEASEHOLD_CALLERS: the file that says who may call');
  }
  return path;
}
