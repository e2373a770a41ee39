import { z } from 'zod';
import { parseSettings } from '../shared/parse-settings.ts';

/** A name, an IPv4 address or an IPv6 address in brackets, and a port. */
const HOST_AND_PORT = /^(?:\[[\da-f:.]+\]|[\w.-]+):\d{1,5}$/i;

const addresses = z
  .string()
  .transform((text) => (text.trim() === '' ? [] : text.split(',').map((part) => part.trim())))
  .pipe(z.array(z.string().regex(HOST_AND_PORT, 'must be host:port, or several with commas between')));

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
  LEASEHOLD_GATEWAY_SERVER_NAME: z
    .string()
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
  LEASEHOLD_GATEWAY_API_SERVER: z
    .url({ protocol: /^https$/ })
    .default('https://kubernetes.default.svc')
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
      'Where network-path channels may lead: `host:port`, several with commas, compared letter by letter. Empty: nowhere. Left out: that API server, under the name in its URL and under the address that Kubernetes gives to pods',
    ),
  KUBERNETES_SERVICE_HOST: z.string().optional().describe('Set by Kubernetes'),
  KUBERNETES_SERVICE_PORT: z.string().optional().describe('Set by Kubernetes'),
  LEASEHOLD_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged'),
});

export type GatewaySettings = z.infer<typeof GatewaySettings>;

/** Reads the settings. Throws an Error that names each wrong variable. */
export const readGatewaySettings = (environment: NodeJS.ProcessEnv): GatewaySettings =>
  parseSettings(GatewaySettings, environment);

/** The addresses that network-path channels may lead to, in lower case. */
export function allowedTargets(settings: GatewaySettings): ReadonlySet<string> {
  const targets = settings.LEASEHOLD_GATEWAY_TARGETS ?? ownApiServer(settings);
  return new Set(targets.map((target) => target.toLowerCase()));
}

function ownApiServer(settings: GatewaySettings): string[] {
  const { hostname, port } = new URL(settings.LEASEHOLD_GATEWAY_API_SERVER);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: servicePort } = settings;
  const ofPods = host && servicePort ? [`${host.includes(':') ? `[${host}]` : host}:${servicePort}`] : [];
  return [`${hostname}:${port || '443'}`, ...ofPods];
}
