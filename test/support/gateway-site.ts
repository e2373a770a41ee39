import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { knownSecret } from '../evidence/known-secret.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';

/** What a gateway's agent finds where it runs. */
export interface GatewaySite {
  /** Complete: for spawnLeasehold. */
  environment: Record<string, string>;
  identityFile: string;
  /** Puts another service account token in place. */
  rotateToken(token: string): Promise<void>;
  remove(): Promise<void>;
}

export interface GatewaySurroundings {
  /** `host:port`; several with commas. */
  servers: string;
  serverCaPem: string;
  enrolmentToken: string;
  apiServer: { url: string; caPem: string };
  token: string;
}

/** Lays token, CAs and a place for the identity out in a folder. */
export async function makeGatewaySite(around: GatewaySurroundings): Promise<GatewaySite> {
  const folder = await makeTempFolder('gateway');
  const at = (name: string) => join(folder.path, name);
  await writeFile(at('server-ca.pem'), around.serverCaPem);
  await writeFile(at('ca.crt'), around.apiServer.caPem);
  await writeFile(at('token'), around.token);
  return {
    environment: {
      LEASEHOLD_GATEWAY_SERVERS: around.servers,
      LEASEHOLD_GATEWAY_SERVER_CA: at('server-ca.pem'),
      LEASEHOLD_GATEWAY_IDENTITY: at('identity.json'),
      LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: around.enrolmentToken,
      LEASEHOLD_GATEWAY_API_SERVER: around.apiServer.url,
      LEASEHOLD_GATEWAY_TOKEN_FILE: at('token'),
      LEASEHOLD_GATEWAY_CA_FILE: at('ca.crt'),
    },
    identityFile: at('identity.json'),
    rotateToken: (token) => writeFile(at('token'), token),
    async remove() {
      knownSecret(await readFile(at('identity.json'), 'utf8').catch(() => 'never enrolled'));
      await folder.remove();
    },
  };
}
