import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeTempFolder } from '../servers/temp-folder.ts';
import type { Certificate } from './certificates.ts';
import { eventually } from './eventually.ts';

/** The files of a server that are replaced while it runs. */
export interface SecureSite {
  /** Settings that name them. */
  environment: Record<string, string>;
  path(name: SiteFile): string;
  write(name: SiteFile, content: string): Promise<void>;
  writeServer(certificate: Certificate): Promise<void>;
  remove(): Promise<void>;
}

const FILES = {
  LEASEHOLD_TLS_CERT: 'server.pem',
  LEASEHOLD_TLS_KEY: 'server.key',
  LEASEHOLD_CLIENT_CA: 'client-ca.pem',
  LEASEHOLD_CALLERS: 'callers.yaml',
  jwks: 'jwks.json',
} as const;

type SiteFile = (typeof FILES)[keyof typeof FILES];

export async function makeSecureSite(server: Certificate, clientCa: string, callers: string): Promise<SecureSite> {
  const folder = await makeTempFolder('secure-site');
  const path = (name: SiteFile) => join(folder.path, name);
  const { jwks: _, ...settings } = FILES;
  const site: SecureSite = {
    environment: Object.fromEntries(Object.entries(settings).map(([setting, name]) => [setting, path(name)])),
    path,
    write: (name, content) => writeFile(path(name), content, { mode: 0o600 }),
    async writeServer({ cert, key }) {
      await site.write(FILES.LEASEHOLD_TLS_CERT, cert);
      await site.write(FILES.LEASEHOLD_TLS_KEY, key);
    },
    remove: () => folder.remove(),
  };
  await site.writeServer(server);
  await site.write(FILES.LEASEHOLD_CLIENT_CA, clientCa);
  await site.write(FILES.LEASEHOLD_CALLERS, callers);
  return site;
}

const LogLine = z.looseObject({ msg: z.string(), level: z.number(), what: z.string().optional() });

/** Lines of a log. */
export function linesOf(logs: readonly string[]): z.infer<typeof LogLine>[] {
  return logs.map((line) => LogLine.parse(JSON.parse(line)));
}

/** Changes a file and waits until the log says that what it is for was reloaded. */
export async function reloading(logs: readonly string[], what: string, change: () => Promise<void>): Promise<void> {
  const reloads = () => linesOf(logs).filter((line) => line.msg === 'reloaded' && line.what === what).length;
  const before = reloads();
  await change();
  await eventually(async () => {
    if (reloads() === before) {
      throw new Error(`${what} was not reloaded`);
    }
  });
}
