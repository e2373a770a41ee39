import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { DescMessage } from '@bufbuild/protobuf';
import { cert } from '../support/answering-server.ts';
import { RawGrpc, type RawOutcome } from '../support/raw-grpc.ts';
import { CONFIG, type FuzzedSite, GATEWAY } from './fuzzed-site.ts';
import { LastingConnection } from './lasting-connection.ts';
import type { KnownValues } from './odd-messages.ts';
import type { Rpc } from './rpcs.ts';
import { openTunnels } from './tunnels.ts';

/** Where messages go. */
export interface Target {
  name: string;
  request: DescMessage;
  /** Sends them in one call, and says how it came out. */
  send(messages: readonly Buffer[]): Promise<RawOutcome>;
  /** How many messages one call may have. */
  most: number;
  atOnce: number;
}

const AT_ONCE = 64;

/** A stream has no end of its own: each is waited for until its deadline. */
const STREAMS_AT_ONCE = 160;
const STREAM_DEADLINE = { 'grpc-timeout': '250m' };

/** What a target is reached by: connections. */
export interface Targets extends AsyncDisposable {
  all: Target[];
}

/** All RPCs, and both streams of the relay as those see them who were let in. */
export async function openTargets(site: FuzzedSite, rpcs: readonly Rpc[]): Promise<Targets> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(new LastingConnection(() => connectKnowing(site.address)));
  const relay = opened.use(new LastingConnection(() => connectKnowing(site.relayAddress, { ca: site.relayCa })));
  const tunnels = opened.use(await openTunnels(site));
  const running = opened.move();
  const targets = rpcs.map(({ name, path, request, kind, at }): Target => {
    const endsByItself = kind !== 'server_streaming';
    return {
      name,
      request,
      most: 1,
      atOnce: endsByItself ? AT_ONCE : STREAMS_AT_ONCE,
      send: (messages) => (at === 'server' ? server : relay).call(path, messages, endsByItself ? {} : STREAM_DEADLINE),
    };
  });
  const requestOf = (path: string) => {
    const rpc = rpcs.find((candidate) => candidate.path === path);
    if (!rpc) {
      throw new Error(`there is no ${path}`);
    }
    return rpc.request;
  };
  const letIn = tunnels.all.map(
    ({ name, path, send }): Target => ({ name, request: requestOf(path), most: 8, atOnce: 32, send }),
  );
  return {
    all: [...letIn, ...targets],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** What requests can be about. */
export function knownValues({ clusterUrl }: FuzzedSite, leases: readonly string[]): KnownValues {
  return {
    name: [CONFIG, GATEWAY, 'other', 'view'],
    config: [CONFIG, 'lasting', 'other'],
    gateway: [GATEWAY, 'other'],
    id: leases,
    lease_id: leases,
    request_id: [randomUUID(), randomUUID(), ''],
    namespace: ['one', 'two'],
    allowed_namespaces: ['one', 'two', 'three'],
    service_account: ['reader'],
    principal: ['apikey:tests'],
    // A closed port, and one that is no cluster's, beside the one that answers.
    url: [clusterUrl, 'https://127.0.0.1:1', 'https://[::1]:1'],
    ca_pem: [cert, ''],
    server_name: ['', '127.0.0.1'],
    token: ['token'],
    etag: [''],
    page_token: [''],
    page_size: ['0', '1', '10'],
    seconds: ['1', '60', '600', '900', '3600'],
    nanos: ['0'],
    paths: ['default_ttl', 'max_ttl', 'labels', 'audiences', 'direct.token', 'direct', 'dynamic.role', 'static'],
    'labels.key': ['team', 'example.org/team'],
    'labels.value': ['blue', ''],
    'match_labels.key': ['team'],
    'match_labels.value': ['blue'],
    enum: ['0', '1', '2', '3'],
    audiences: ['api'],
    service: ['', 'leasehold.v1.LeaseService'],
    file_by_filename: ['leasehold/v1/config.proto'],
    file_containing_symbol: ['leasehold.v1.LeaseService', 'leasehold.v1.Config'],
    channel: ['1', '2', '3', '4'],
    credit: ['1', '131072', '4294967295'],
    address: ['127.0.0.1:1'],
    data: ['00', '474554202f20485454502f312e310d0a0d0a'],
  };
}

/**
 * Before a client knows how many streams it may open, the server refuses those that are too many (REFUSED_STREAM); gRPC
 * clients repeat them by themselves.
 */
async function connectKnowing(...to: Parameters<typeof RawGrpc.connect>): Promise<RawGrpc> {
  const connection = await RawGrpc.connect(...to);
  const { session } = connection;
  if (
    session.remoteSettings.maxConcurrentStreams === undefined ||
    session.remoteSettings.maxConcurrentStreams > 1_000
  ) {
    await once(session, 'remoteSettings');
  }
  return connection;
}
