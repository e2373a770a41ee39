import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { parseBaseUrl, parseDocumentUrl } from '../../shared/domain/https-url.ts';
import { DNS_LABEL } from '../../shared/domain/kubernetes-names.ts';
import { textField } from '../../shared/text-field.ts';
import { ALGORITHMS } from './verify-token.ts';

const DEFAULT_ALGORITHMS = ['RS256', 'ES256', 'PS256', 'EdDSA'] as const;

/** With the longest `sub`, no more than a principal's name may have. */
const MAX_ISSUER = 1_024;

/** Of `<issuer>#<sub>`, the first '#' ends the issuer. */
const Issuer = z
  .string()
  .max(MAX_ISSUER, `must have at most ${MAX_ISSUER} characters`)
  .regex(/^https:\/\/[^#\s]+$/, 'must be an https URL without #');

/** The issuer of a cluster's tokens is a name: it need not be where its keys are. */
const ClusterIssuer = z.string().regex(/^[^#\s]+$/);

const Path = z.string().min(1);

const KeysInFile = z.strictObject({ file: Path });
const KeysAtUrl = z.strictObject({
  url: textField(parseDocumentUrl),
  caFile: Path.optional(),
  tokenFile: Path.optional(),
});
const KeysByDiscovery = z.strictObject({ discovery: z.literal(true), caFile: Path.optional() });

/** Where the keys of an issuer are. */
const Keys = z.union([KeysInFile, KeysAtUrl, KeysByDiscovery], {
  error: ({ errors }) =>
    problemOfUrl(errors) ?? 'must be {file}, {url, caFile, tokenFile} or {discovery: true, caFile}',
});
export type KeysSpec = z.infer<typeof Keys>;

const Audiences = z.array(z.string().min(1)).min(1);
const Algorithms = z
  .array(z.enum(ALGORITHMS))
  .min(1)
  .default([...DEFAULT_ALGORITHMS]);

/** Labels of configs name groups: most should fit into such a label. */
const GroupName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/, 'must be 1 to 128 of letters, digits and . _ : / @ -');

/** Groups to which the policies that Leasehold comes with give more than to others. */
export const ROLES = ['admins', 'auditors'];

/** The issuer is compared letter by letter with what tokens say, so it is not made canonical, but its keys are asked for below it. */
const byDiscovery = ({ issuer, jwks }: { issuer: string; jwks?: KeysSpec | undefined }) =>
  !(jwks && 'discovery' in jwks) || textField(parseBaseUrl).safeParse(issuer).success;

const BY_DISCOVERY = {
  path: ['issuer'],
  message: 'must be an https URL without a query for discovery: https://host[:port][/path]',
};

const JwtIssuer = z
  .strictObject({
    issuer: Issuer,
    audiences: Audiences,
    jwks: Keys,
    algorithms: Algorithms,
    groupsClaim: z.string().min(1).optional(),
    groupsPrefix: GroupName.optional(),
  })
  .refine(({ groupsClaim, groupsPrefix }) => (groupsClaim === undefined) === (groupsPrefix === undefined), {
    path: ['groupsPrefix'],
    message: 'goes with groupsClaim: without a prefix, an issuer could put its callers into groups of this file',
  })
  .refine(byDiscovery, BY_DISCOVERY);

const TokenReview = z.strictObject({ url: textField(parseBaseUrl), caFile: Path.optional(), tokenFile: Path });

const Cluster = z
  .strictObject({
    name: z.string().regex(DNS_LABEL, 'must be a DNS label'),
    issuer: ClusterIssuer,
    audiences: Audiences,
    algorithms: Algorithms,
    jwks: Keys.optional(),
    tokenReview: TokenReview.optional(),
  })
  .refine(
    ({ jwks, tokenReview }) => jwks !== undefined || tokenReview !== undefined,
    'needs jwks, tokenReview, or both',
  )
  .refine(byDiscovery, BY_DISCOVERY);

const ApiKey = z.strictObject({
  name: z.string().regex(DNS_LABEL, 'must be a DNS label'),
  sha256: z.hash('sha256'),
  groups: z.array(GroupName).default([]),
  expires: z.iso.datetime({ offset: true }).optional(),
});

/** Of those of a kind, or of one trust domain (up to its `/`), issuer (`#`) or cluster (`/`). */
const WHOLE_AUTHORITY =
  /^(?:spiffe:\/\/(?:[^/]+\/.*)?|jwt:(?:[^#]+#.*)?|serviceaccount:(?:[^/]+\/.*)?|(?:x509|apikey):.*)\*$/;

/** The text form of a principal, or its beginning and a `*`. Everybody is no group: a kind of callers must be named. */
const Member = z
  .string()
  .regex(
    /^(?:spiffe:\/\/|x509:|jwt:|serviceaccount:|apikey:)[^*]*\*?$/,
    'must begin with spiffe://, x509:, jwt:, serviceaccount: or apikey:, and have no * but at its end',
  )
  .refine(
    (member) => !member.endsWith('*') || WHOLE_AUTHORITY.test(member),
    'must have its * after the whole trust domain, issuer or cluster: it would count for others that begin alike',
  );

const CallersFile = z
  .strictObject({
    certificates: z
      .strictObject({
        trustDomains: z.array(z.string().regex(/^[a-z0-9._-]{1,255}$/)).default([]),
        subjects: z.boolean().default(false),
      })
      .prefault({}),
    jwt: z.array(JwtIssuer).default([]),
    clusters: z.array(Cluster).default([]),
    apiKeys: z.array(ApiKey).default([]),
    groups: z.record(GroupName, z.array(Member)).default({}),
  })
  .superRefine(({ jwt, clusters, apiKeys, groups }, context) => {
    const complain = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
    const issuers = jwt.map(({ issuer }) => issuer);
    for (const issuer of repeated(issuers)) {
      complain(['jwt'], `issuer ${issuer} is listed twice`);
    }
    for (const name of repeated(clusters.map(({ name }) => name))) {
      complain(['clusters'], `cluster ${name} is listed twice`);
    }
    for (const [index, { issuer, jwks, tokenReview }] of clusters.entries()) {
      if (issuers.includes(issuer)) {
        complain(['clusters', index, 'issuer'], 'is an issuer of jwt, too');
      }
      if (tokenReview && !jwks && clusters.filter((other) => other.issuer === issuer).length > 1) {
        complain(
          ['clusters', index, 'tokenReview'],
          'is not for clusters that share an issuer: one would be sent the tokens of another; add jwks',
        );
      }
    }
    const prefixes = jwt.flatMap(({ groupsPrefix }) => groupsPrefix ?? []);
    for (const [index, { groupsPrefix = '' }] of jwt.entries()) {
      const wider = prefixes.find((start) => start !== groupsPrefix && groupsPrefix.startsWith(start));
      if (wider !== undefined) {
        complain(
          ['jwt', index, 'groupsPrefix'],
          `begins with ${wider}, that of another issuer, whose callers could be in the groups of this one`,
        );
      }
    }
    const refusePrefixed = (name: string, path: PropertyKey[]) => {
      const prefix = prefixes.find((start) => name.startsWith(start));
      if (prefix !== undefined) {
        complain(
          path,
          `group ${name} begins with ${prefix}, the groupsPrefix of an issuer: its callers could be in it`,
        );
      }
    };
    for (const name of [...ROLES, ...Object.keys(groups)]) {
      refusePrefixed(name, ['groups', name]);
    }
    for (const [index, key] of apiKeys.entries()) {
      for (const name of key.groups) {
        refusePrefixed(name, ['apiKeys', index, 'groups']);
      }
    }
  });

export type CallersFile = z.infer<typeof CallersFile>;

/** Reads callers.yaml. Throws an Error that names each place where it is wrong. */
export function parseCallersFile(text: string): CallersFile {
  const parsed = CallersFile.safeParse(parseYaml(text) ?? {});
  if (!parsed.success) {
    throw new Error(z.prettifyError(parsed.error));
  }
  return parsed.data;
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}

/** Of the forms that were tried, the one with a URL is meant where that is all that is wrong with it. */
function problemOfUrl(errors: readonly (readonly z.core.$ZodIssue[])[] = []): string | undefined {
  const [issue] = errors.find(([first, ...more]) => first?.path[0] === 'url' && more.length === 0) ?? [];
  return issue?.code === 'custom' ? `url ${issue.message}` : undefined;
}
