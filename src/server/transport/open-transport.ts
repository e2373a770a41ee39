import { ServerCredentials } from '@grpc/grpc-js';
import { parsedAt } from '../../shared/domain/malformed.ts';
import type { Settings } from '../../shared/settings.ts';
import type { Logger } from '../../shared/telemetry/logger.ts';
import { WatchedFiles } from '../../shared/watched-files.ts';
import { type ClientCas, parseClientCas, withoutRoot } from './client-cas.ts';
import { ClientCertificates } from './client-certificates.ts';
import { requireMayBePlaintext } from './plaintext.ts';
import { ReloadableCredentials } from './reloadable-credentials.ts';
import { tlsContext } from './tls-context.ts';
import { watchKeyPair } from './watch-key-pair.ts';

/** How callers come to the server. */
export interface Transport {
  isTls: boolean;
  credentials: ServerCredentials;
  /** Undefined: none are asked for. */
  clientCertificates: ClientCertificates | undefined;
  close(): void;
}

/** As the settings say: TLS whose files are read again where they change, or in the clear. Throws an Error where it may not. */
export async function openTransport(settings: Settings, log: Logger): Promise<Transport> {
  const { LEASEHOLD_TLS_CERT: chain, LEASEHOLD_TLS_KEY: key } = settings;
  if (chain !== undefined && key !== undefined) {
    return openTls(chain, key, settings, log);
  }
  requireMayBePlaintext(settings);
  log.warn(
    { address: settings.LEASEHOLD_LISTEN },
    'callers are served in the clear: whoever sees their calls has their tokens',
  );
  return {
    isTls: false,
    credentials: ServerCredentials.createInsecure(),
    clientCertificates: undefined,
    close: () => undefined,
  };
}

async function openTls(chain: string, key: string, settings: Settings, log: Logger): Promise<Transport> {
  const keyPair = await watchKeyPair(
    'the certificate of the server',
    chain,
    key,
    log,
    'LEASEHOLD_TLS_CERT, LEASEHOLD_TLS_KEY',
  );
  const cas = await watchClientCas(settings, log);
  const isRequired = settings.LEASEHOLD_REQUIRE_CLIENT_CERT;
  const clientCertificates = cas && new ClientCertificates(() => cas.current);
  const context = () => tlsContext(keyPair.current, cas?.current.pem);
  const asking = clientCertificates && { isRequired, interceptor: clientCertificates.interceptor };
  const credentials = new ReloadableCredentials(context(), asking);
  keyPair.onReload(() => credentials.replace(context()));
  cas?.onReload(() => {
    credentials.replace(context());
    clientCertificates?.casReplaced();
  });
  return {
    isTls: true,
    credentials,
    clientCertificates,
    close() {
      keyPair.close();
      cas?.close();
      clientCertificates?.close();
    },
  };
}

async function watchClientCas(settings: Settings, log: Logger): Promise<WatchedFiles<ClientCas> | undefined> {
  const { LEASEHOLD_CLIENT_CA: path } = settings;
  return path === undefined
    ? undefined
    : WatchedFiles.open({
        what: 'the CAs of client certificates',
        setting: 'LEASEHOLD_CLIENT_CA',
        paths: [path],
        parse: ([pem = Buffer.of()]) => {
          const cas = parsedAt(path, () => parseClientCas(pem));
          warnOfThoseWithoutRoot(cas, log);
          return cas;
        },
        log,
      });
}

function warnOfThoseWithoutRoot(cas: ClientCas, log: Logger): void {
  const subjects = withoutRoot(cas);
  if (subjects.length > 0) {
    log.warn(
      { subjects },
      'CAs of LEASEHOLD_CLIENT_CA verify no client, because their root is not in the file: add the root',
    );
  }
}
