import dns from 'node:dns';

// Loaded into an agent before everything else (--import): it alone is told where a private cluster is. Nobody else
// resolves its name; .test is reserved (RFC 2606).

export const PRIVATE_NAME = 'kubernetes.private.test';

const { lookup } = dns;
dns.lookup = Object.assign(
  (name: string, ...rest: unknown[]) =>
    Reflect.apply(lookup, dns, [name === PRIVATE_NAME ? '127.0.0.1' : name, ...rest]),
  lookup,
);
