import type { RedisAddress } from './redis-url.ts';

/** A server without TLS may wait for the end of a line in what to it is no command. */
const NO_ANSWER = /ETIMEDOUT|could not be reached within/;

/** What Redis, ioredis or Node say when Redis cannot be used, and what that means for who started the process. */
const MEANINGS: readonly [pattern: RegExp, meaning: string][] = [
  [/\bNOPERM\b/, 'its user may not do what Leasehold needs: give it the permissions that docs/redis.md lists'],
  [/WRONGPASS|invalid password/, 'it refused user name and password: check them, and percent-encode them in the URL'],
  [
    /NOAUTH/,
    'it wants a password: redis://user:password@host:port, or redis://:password@host:port; Sentinels want ?sentinel_password=...',
  ],
  [
    /DENIED|protected mode/i,
    'it runs in protected mode: set a password in Redis ("requirepass" or an ACL user), or "bind"',
  ],
  [/DB index is out of range|invalid DB index/i, 'it has no database of that number'],
  [
    /wrong version number|ERR_SSL|EPROTO|packet length too long/i,
    'it does not speak TLS: write redis:// instead of rediss://',
  ],
  [
    /CERT|SIGNED|ALTNAME|UNABLE_TO_(?:GET|VERIFY)/,
    'its TLS certificate is not trusted: name its CA in NODE_EXTRA_CA_CERTS, and its host as in the certificate',
  ],
  [/ENOTFOUND|EAI_AGAIN/, 'its host name cannot be resolved: check the name, and DNS'],
  [/ECONNREFUSED/, 'the connection was refused: check host and port, and that Redis runs and listens there'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|Socket timeout|Command timed out|could not be reached within/,
    'nothing answers: check host and port, and firewalls on the way',
  ],
  [
    /cluster support disabled|Failed to refresh slots cache|None of startup nodes/,
    'no node of a Redis Cluster answers there: check the nodes; a single Redis is redis://',
  ],
  [/MOVED|CROSSSLOT/, 'it is a node of a Redis Cluster: write redis+cluster://'],
  [/LOADING/, 'it is still loading its data: start again when it is ready'],
  [/Protocol error|RESP type/i, 'what answers there is not Redis: check host and port'],
  [
    /ECONNRESET|EPIPE|Connection is closed/,
    'it closes the connection: check host and port; where it speaks TLS, write rediss://',
  ],
];

/**
 * Why Redis cannot be used at the start, in words that name the setting and say what to do; never its password. `heard`:
 * what the connection told besides, which often is the reason for `error`.
 */
export function explainStart(address: RedisAddress, error: Error, heard: readonly Error[] = []): Error {
  const told = [...heard, error].map(textOf).join('\n');
  const meaning = meaningFor(address, told);
  const cause = heard.at(-1) ?? error;
  const problem = meaning === undefined ? error.message : `${meaning} (${cause.message})`;
  return new Error(`LEASEHOLD_REDIS_URL: Redis at ${hostsOf(address)} cannot be used: ${problem}`, { cause });
}

function meaningFor(address: RedisAddress, told: string): string | undefined {
  if (address.tls && NO_ANSWER.test(told)) {
    return 'nothing answers, or it does not speak TLS: check host and port, and firewalls on the way; without TLS write redis://';
  }
  if (address.kind === 'sentinel' && !/WRONGPASS|NOAUTH|NOPERM|ENOTFOUND|EAI_AGAIN|CERT|SIGNED/.test(told)) {
    return `no Sentinel answers, or none knows the master ${JSON.stringify(address.master)}: check hosts, ports and the name of the master`;
  }
  return MEANINGS.find(([pattern]) => pattern.test(told))?.[1];
}

function textOf(error: Error & { code?: unknown }): string {
  return `${error.code ?? ''} ${error.message}`;
}

function hostsOf(address: RedisAddress): string {
  const nodes =
    address.kind === 'standalone' ? [address.node] : address.kind === 'sentinel' ? address.sentinels : address.nodes;
  return nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
}
