import { z } from 'zod';
import { Secret } from '../domain/secret.ts';

interface Endpoint {
  host: string;
  port: number;
}

interface Login {
  username: string | undefined;
  password: Secret | undefined;
}

interface Common extends Login {
  tls: boolean;
}

/** Where Redis is, and how it is reached. */
export type RedisAddress =
  | (Common & { kind: 'standalone'; node: Endpoint; database: number })
  | (Common & { kind: 'sentinel'; sentinels: Endpoint[]; sentinelLogin: Login; master: string; database: number })
  | (Common & { kind: 'cluster'; nodes: Endpoint[] });

const FORM =
  /^redis(?<tls>s)?(?:\+(?<kind>sentinel|cluster))?:\/\/(?<authority>[^/?#]*)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;
const HOST_AND_PORT = /^(?<host>\[[\da-f:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?$/i;

const FORMS =
  'redis://[user:password@]host:port[/database], redis+sentinel://[user:password@]host:port,.../master-name[?database=n] ' +
  'or redis+cluster://[user:password@]host:port,...; with TLS rediss:// in place of redis://';

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

/** Why a text is no Redis URL; never with the text itself, which may hold a password. */
class WrongUrl extends Error {}

/** A Redis URL, parsed into an address. User and password are percent-encoded, as in any URL. */
export const RedisUrl = z.string().transform((text, context): RedisAddress => {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof WrongUrl)) {
      throw error;
    }
    context.addIssue({ code: 'custom', message: error.message });
    return z.NEVER;
  }
});

function parse(text: string): RedisAddress {
  const { tls, kind, authority = '', path = '', query = '' } = FORM.exec(text)?.groups ?? fail(`must be ${FORMS}`);
  const at = authority.lastIndexOf('@');
  const hosts = authority.slice(at + 1);
  const common = { ...parseLogin(authority.slice(0, Math.max(0, at))), tls: tls !== undefined };
  const options = new URLSearchParams(query);
  const take = (name: string): string | undefined => {
    const value = options.get(name) ?? undefined;
    options.delete(name);
    return value;
  };
  const address = ((): RedisAddress => {
    switch (kind) {
      case 'sentinel': {
        const [username, password] = [take('sentinel_username'), take('sentinel_password')];
        return {
          ...common,
          kind,
          sentinels: parseHosts(hosts, SENTINEL_PORT),
          sentinelLogin: { username, password: password === undefined ? undefined : new Secret(password) },
          master: decode(path) || fail('must name the master: redis+sentinel://host:port,.../master-name'),
          database: parseDatabase(take('database') ?? ''),
        };
      }
      case 'cluster':
        if (path !== '') {
          fail('a Redis Cluster has no databases: nothing may follow its hosts');
        }
        return { ...common, kind, nodes: parseHosts(hosts, REDIS_PORT) };
      default: {
        const [node, ...others] = parseHosts(hosts, REDIS_PORT);
        if (!node || others.length > 0) {
          return fail('several hosts need redis+sentinel:// or redis+cluster://');
        }
        return { ...common, kind: 'standalone', node, database: parseDatabase(path) };
      }
    }
  })();
  const [unknown] = options.keys();
  return unknown === undefined ? address : fail('has an unknown option; is a ? of the password written as %3F?');
}

function parseHosts(text: string, defaultPort: number): Endpoint[] {
  return text.split(',').map((entry) => {
    const { host = '', port = defaultPort } =
      HOST_AND_PORT.exec(entry)?.groups ??
      fail('has a host that is none; is a / or ? of the password written as %2F or %3F?');
    if (Number(port) < 1 || Number(port) > 65_535) {
      fail(`has a port that is none: ${port}`);
    }
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  });
}

/** `user:password`, `:password`, or nothing. */
function parseLogin(text: string): Login {
  const colon = text.indexOf(':');
  if (text !== '' && colon === -1) {
    fail('has a user without a password: write user:password@, or :password@ for the default user');
  }
  return {
    username: decode(text.slice(0, Math.max(0, colon))) || undefined,
    password: text === '' ? undefined : new Secret(decode(text.slice(colon + 1))),
  };
}

function parseDatabase(text: string): number {
  return /^\d*$/.test(text)
    ? Number(text)
    : fail('has a database that is no number; is a / of the password written as %2F?');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('has a % that begins no escape: write it as %25');
  }
}

function fail(why: string): never {
  throw new WrongUrl(why);
}
