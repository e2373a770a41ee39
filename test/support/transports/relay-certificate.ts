import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCa } from '../certificates.ts';

/** Settings for both ends of the connections to relays, whose certificate is for this name wherever they listen. */
export interface RelayCertificate {
  /** Of a server, and of a worker that reaches servers. */
  ofServers: Record<string, string>;
  ofAgents: Record<string, string>;
  caPem: string;
}

const NAME = 'localhost';

export async function writeRelayCertificate(folder: string): Promise<RelayCertificate> {
  const ca = await makeCa();
  const { cert, key } = await ca.issue([NAME]);
  const file = async (name: string, content: string) => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  return {
    ofServers: {
      LEASEHOLD_RELAY_CERT: await file('relay.pem', cert),
      LEASEHOLD_RELAY_KEY: await file('relay.key', key),
      LEASEHOLD_RELAY_CA: await file('relay-ca.pem', ca.caPem),
      LEASEHOLD_RELAY_NAME: NAME,
    },
    ofAgents: { LEASEHOLD_GATEWAY_SERVER_NAME: NAME },
    caPem: ca.caPem,
  };
}
