import { z } from 'zod';
import { canonicalServerName } from '../shared/domain/host.ts';
import { parseHostAndPort } from '../shared/domain/host-and-port.ts';
import { parseBaseUrl } from '../shared/domain/https-url.ts';
import { LogLevel } from '../shared/log-level.ts';
import { parseSettings } from '../shared/parse-settings.ts';
import { textField } from '../shared/text-field.ts';

const addresses = z
  .string()
  .transform((text) => (text.trim() === '' ? [] : text.split(',').map((part) => part.trim())))
  .pipe(z.array(textField(parseHostAndPort)));

const MOUNTED = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Settings of the gateway's agent, as environment variables. The table in deploy/gateway/README.md is made of these. */
export const GatewaySettings = z.object({
  LEASEHOLD_GATEWAY_SERVERS: addresses
    .refine(({ length }) => length > 0, 'must name a server')
    .describe(
      'Where Leasehold takes gateways: `host:port` of its LEASEHOLD_RELAY_LISTEN; several with commas, tried in turn. Required',
    ),
  LEASEHOLD_GATEWAY_SERVER_CA: z
    .string()
    .optional()
    .describe("PEM file with the CA of the servers' certificate. Left out: the CAs that Node trusts"),
  LEASEHOLD_GATEWAY_SERVER_NAME: textField(canonicalServerName)
    .optional()
    .describe('Name that the certificate must be for. Left out: the host of the server'),
  LEASEHOLD_GATEWAY_IDENTITY: z
    .string()
    .default('identity.json')
    .describe('File with the private key and the identity. Written when the agent enrols; a secret'),
  LEASEHOLD_GATEWAY_ENROLMENT_TOKEN: z
    .string()
    .optional()
    .describe('One-time token from CreateGateway. Needed while the file has no identity yet'),
  LEASEHOLD_GATEWAY_API_SERVER: textField(parseBaseUrl)
    .prefault('https://kubernetes.default.svc')
    .describe("URL of the agent's own API server"),
  LEASEHOLD_GATEWAY_TOKEN_FILE: z
    .string()
    .default(`${MOUNTED}/token`)
    .describe("File with the agent's own service account token; read again as it rotates"),
  LEASEHOLD_GATEWAY_CA_FILE: z
    .string()
    .default(`${MOUNTED}/ca.crt`)
    .describe('PEM file with the CA of that API server'),
  LEASEHOLD_GATEWAY_TARGETS: addresses
    .optional()
    .describe(
      'Where network-path channels may lead: `host:port`, several with commas, as the URLs of configs have them. Empty: nowhere. Left out: that API server, under the name in its URL and under the address that Kubernetes gives to pods',
    ),
  KUBERNETES_SERVICE_HOST: z.string().optional().describe('Set by Kubernetes'),
  KUBERNETES_SERVICE_PORT: z.string().optional().describe('Set by Kubernetes'),
  LEASEHOLD_LOG_LEVEL: LogLevel.describe('Minimum log level'),
});

export type GatewaySettings = z.infer<typeof GatewaySettings>;

/** Reads the settings. Throws an Error that names each wrong variable. */
export const readGatewaySettings = (environment: NodeJS.ProcessEnv): GatewaySettings =>
  parseSettings(GatewaySettings, environment);

/** The addresses that network-path channels may lead to, in the form in which the URLs of configs have them. */
export function allowedTargets(settings: GatewaySettings): ReadonlySet<string> {
  return new Set(settings.LEASEHOLD_GATEWAY_TARGETS ?? ownApiServer(settings));
}

function ownApiServer(settings: GatewaySettings): string[] {
  const { hostname, port } = new URL(settings.LEASEHOLD_GATEWAY_API_SERVER);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: servicePort } = settings;
  const ofPods =
    host && servicePort ? [parseHostAndPort(`${host.includes(':') ? `[${host}]` : host}:${servicePort}`)] : [];
  return [`${hostname}:${port || '443'}`, ...ofPods];
}
