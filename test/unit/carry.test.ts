import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { Frame } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import {
  type Carried,
  carryAttachOnAgent,
  carryAttachOnServer,
  carryForwardOnCaller,
  carryForwardOnHolder,
} from '../../src/shared/tunnel/carry.ts';
import type { Channel } from '../../src/shared/tunnel/channel.ts';
import { WINDOW } from '../../src/shared/tunnel/credit.ts';
import {
  TunnelClient,
  type TunnelHandlers,
  tunnelOptions,
  tunnelService,
} from '../../src/shared/tunnel/tunnel-service.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { closing, readAll } from '../support/tunnel.ts';

type AttachCall = Parameters<TunnelHandlers['attach']>[0];

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

const echo = async () => (channel: Channel) => void channel.pipe(channel);
const target = { kind: 'address', address: 'db.internal:5432' } as const;
const TIMEOUT = { timeoutMs: PATIENCE_MS };

/** A server and a client over loopback, with the server's side of each stream that the client opens. */
async function connect(
  attach: (call: AttachCall) => Carried | Promise<Carried> = (call) => carryAttachOnServer(call, {}),
) {
  const attached = Promise.withResolvers<Carried>();
  const forwarded = Promise.withResolvers<Carried>();
  const server = new Server(tunnelOptions);
  const handlers: TunnelHandlers = {
    enrol: ({ request }, answer) => answer(null, { identityId: request.token, gateway: 'edge' }),
    attach: (call) => attached.resolve(attach(call)),
    forward: (call) => forwarded.resolve(carryForwardOnHolder(call, { accept: echo })),
  };
  server.addService(tunnelService, handlers);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new TunnelClient(`127.0.0.1:${port}`, credentials.createInsecure(), tunnelOptions);
  closers.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return { client, server, attached: attached.promise, forwarded: forwarded.promise };
}

async function expectEcho(channel: Channel, bytes: number): Promise<void> {
  const sent = randomBytes(bytes);
  channel.end(sent);
  expect((await readAll(channel)).equals(sent)).toBe(true);
}

test('the server opens channels to an agent that attached', async () => {
  const { client, attached } = await connect();
  carryAttachOnAgent(client.attach(), { accept: echo });
  const { multiplexer } = await attached;
  const channels = await Promise.all([1, 2, 3].map(() => multiplexer.open(target, TIMEOUT)));
  await Promise.all(channels.map((channel) => expectEcho(channel, 1_000_000)));
});

test('a stream that was cut off during its handshake is over at once', async () => {
  const asked = Promise.withResolvers<void>();
  const { client, attached } = await connect((call) => {
    asked.resolve();
    return once(call, 'close').then(() => carryAttachOnServer(call, {}));
  });
  const call = client.attach();
  call.on('error', () => undefined);
  await asked.promise;
  call.cancel();
  const { multiplexer, over } = await attached;
  expect((await over).message).toBe('the stream was cut off');
  await expect(multiplexer.open(target, TIMEOUT)).rejects.toMatchObject({ reason: 'lost' });
});

test('a server opens channels to one that holds a stream', async () => {
  const { client } = await connect();
  const { multiplexer } = carryForwardOnCaller(client.forward());
  await expectEcho(await multiplexer.open(target, { ...TIMEOUT, gatewayUid: 'uid' }), 1_000_000);
});

test('all that is ready goes in messages that the other side takes', async () => {
  const { client } = await connect();
  const { multiplexer } = carryForwardOnCaller(client.forward());
  const channels = await Promise.all(Array.from({ length: 60 }, () => multiplexer.open(target, TIMEOUT)));
  await Promise.all(channels.map((channel) => expectEcho(channel, 200_000)));
});

test('either side may end the stream as gRPC has it', async () => {
  const { client, attached, forwarded } = await connect();
  const call = client.forward();
  const caller = carryForwardOnCaller(call);
  call.end();
  await expect((await forwarded).over).resolves.toMatchObject({ message: 'the other side ended the stream' });
  await caller.over;

  const agent = carryAttachOnAgent(client.attach(), { accept: echo });
  (await attached).end(Object.assign(new Error('done'), { code: 0 }));
  await expect(agent.over).resolves.toMatchObject({ message: 'the other side ended the stream' });
});

test('a caller that goes away is noticed', async () => {
  const { client, forwarded } = await connect();
  const call = client.forward();
  const broken = closing(await carryForwardOnCaller(call).multiplexer.open(target, TIMEOUT));
  const { over, multiplexer } = await forwarded;
  call.cancel();
  await over;
  expect(multiplexer.channels).toBe(0);
  expect(await broken).toMatchObject({ code: 'ECONNRESET' });
});

test('a peer that breaks the rules of the stream has it ended', async () => {
  const { client, forwarded } = await connect();
  const call = client.forward();
  const { over } = carryForwardOnCaller(call);
  const open = { $case: 'open', value: { target: { $case: 'apiServer', value: {} }, gatewayUid: '' } } as const;
  call.write({ frames: { frames: [1, 1].map((channel) => ({ channel, kind: open })) } });
  await expect((await forwarded).over).resolves.toMatchObject({ message: expect.stringContaining('channel 1') });
  await expect(over).resolves.toMatchObject({ details: expect.stringContaining('channel 1') });
});

test('a peer that never reads, and asks for ever new channels, has the stream ended', async () => {
  const { client } = await connect((call) => {
    call.pause();
    for (let number = 1; number <= 600; number++) {
      const open: Frame['kind'] = {
        $case: 'open',
        value: { target: { $case: 'apiServer', value: {} }, gatewayUid: '' },
      };
      const close: Frame['kind'] = { $case: 'close', value: { reason: 0, message: '' } };
      for (const kind of [open, close]) {
        call.write({ kind: { $case: 'frames', value: { frames: [{ channel: number, kind }] } } });
      }
    }
    return new Promise(() => undefined);
  });
  const window = Buffer.alloc(WINDOW);
  const agent = carryAttachOnAgent(client.attach(), { accept: async () => (channel) => void channel.write(window) });
  await expect(agent.over).resolves.toMatchObject({ message: 'the other side does not read what it is sent' });
});

test('the agent ends the stream: both sides know, and channels break', async () => {
  const { client, attached } = await connect();
  const agent = carryAttachOnAgent(client.attach(), { accept: echo });
  const server = await attached;
  const broken = closing(await server.multiplexer.open(target, TIMEOUT));
  agent.end(new Error('the agent stops'));
  await expect(agent.over).resolves.toMatchObject({ message: 'the agent stops' });
  await expect(server.over).resolves.toBeInstanceOf(Error);
  expect(await broken).toMatchObject({ code: 'ECONNRESET' });
  await expect(server.multiplexer.open(target, TIMEOUT)).rejects.toMatchObject({ reason: 'lost' });
});

test('the server ends the stream with a status that the agent sees', async () => {
  const { client, attached } = await connect();
  const agent = carryAttachOnAgent(client.attach(), { accept: echo });
  const server = await attached;
  server.end(Object.assign(new Error('deleted'), { code: 16, details: 'the gateway was deleted' }));
  await expect(agent.over).resolves.toMatchObject({ code: 16, details: 'the gateway was deleted' });
});

test('the connection is lost: all that is under way learns of it', async () => {
  const { client, server, attached } = await connect();
  const agent = carryAttachOnAgent(client.attach(), { accept: echo });
  const { multiplexer, over } = await attached;
  const broken = closing(await multiplexer.open(target, TIMEOUT));
  server.forceShutdown();
  await expect(over).resolves.toBeInstanceOf(Error);
  await expect(agent.over).resolves.toBeInstanceOf(Error);
  expect(await broken).toMatchObject({ code: 'ECONNRESET' });
});

test('a message out of turn ends the stream', async () => {
  const { client, attached } = await connect();
  const call = client.attach();
  const { over } = carryAttachOnAgent(call, { accept: echo });
  call.write({ kind: { $case: 'proof', value: { signature: new Uint8Array() } } });
  await expect((await attached).over).resolves.toMatchObject({ message: expect.stringContaining('something else') });
  await expect(over).resolves.toBeInstanceOf(Error);
});

test('a unary call goes through the same client', async () => {
  const { client } = await connect();
  const request = { token: 'id', publicKey: new Uint8Array(), signature: new Uint8Array() };
  expect(await client.enrol(request, { deadline: Date.now() + PATIENCE_MS })).toEqual({
    identityId: 'id',
    gateway: 'edge',
  });
});
