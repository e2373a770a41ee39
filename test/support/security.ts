import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials as grpcCredentials, Metadata } from '@grpc/grpc-js';
import { stringify } from 'yaml';
import { apiKeyHash, makeApiKey } from '../../src/shared/domain/api-key.ts';
import type { Secret } from '../../src/shared/domain/secret.ts';
import { knownSecret } from '../evidence/known-secret.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { type Certificate, makeCa } from './certificates.ts';

// TLS and callers of all Leaseholds that this process starts: one CA, one server's certificate, and one API key, which may
// do everything.

/** The name in the servers' certificate, wherever they listen. */
export const SERVER_NAME = 'localhost';

const folder = await makeTempFolder('security');
const ca = await makeCa();
const server = await ca.issue([SERVER_NAME]);

export const ADMIN_KEY = makeApiKey('tests');

/** Who may call a server, as callers.yaml says it. */
export function callersYaml(callers: object = {}, apiKeys: readonly object[] = []): string {
  return stringify({ ...callers, apiKeys: [apiKeyEntry(ADMIN_KEY, 'tests', ['admins']), ...apiKeys] });
}

export function apiKeyEntry(key: Secret, name: string, groups: readonly string[] = [], expires?: string): object {
  return { name, sha256: apiKeyHash(key).toString('hex'), groups, ...(expires && { expires }) };
}

/** PEM of the CA of the servers. */
export const SERVER_CA = ca.caPem;

/** As a file: for tools that are called. */
export const SERVER_CA_FILE = file('server-ca.pem', ca.caPem);

/** Settings of a server. */
export const SECURE = {
  LEASEHOLD_TLS_CERT: file('server.pem', server.cert),
  LEASEHOLD_TLS_KEY: file('server.key', server.key),
  LEASEHOLD_CALLERS: file('callers.yaml', callersYaml()),
};

function file(name: string, content: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** What a client shows, and whom it trusts. */
export interface Showing {
  /** A token or an API key; asked for at each call. */
  bearer?: string | (() => string) | undefined;
  certificate?: Certificate | undefined;
  /** Default: the CA of this process's servers. */
  serverCa?: string;
}

const ADMIN: Showing = { bearer: ADMIN_KEY.reveal() };

/** For a channel to a server: its credentials and options. Default: the caller who may do everything. */
export function secureChannel({ bearer, certificate, serverCa = SERVER_CA }: Showing = ADMIN) {
  const key = certificate && Buffer.from(certificate.key);
  const cert = certificate && Buffer.from(certificate.cert);
  const tls = grpcCredentials.createSsl(Buffer.from(serverCa), key ?? null, cert ?? null);
  const withBearer =
    bearer === undefined
      ? tls
      : tls.compose(
          grpcCredentials.createFromMetadataGenerator((_, pass) => {
            const metadata = new Metadata();
            metadata.set('authorization', `Bearer ${knownSecret(typeof bearer === 'string' ? bearer : bearer())}`);
            pass(null, metadata);
          }),
        );
  // Channels of one target and credentials that are alike share connections; those of tests do not.
  const options = { 'grpc.ssl_target_name_override': SERVER_NAME, 'grpc.use_local_subchannel_pool': 1 };
  return { credentials: withBearer, options };
}
