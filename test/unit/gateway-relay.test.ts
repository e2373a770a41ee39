import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import type { GatewayLink } from '../../src/shared/domain/gateway.ts';
import { GatewayRelay } from '../../src/shared/relay/gateway-relay.ts';
import type { Way } from '../../src/shared/relay/way.ts';
import { ChannelNotOpened, type NotOpenedReason } from '../../src/shared/tunnel/channel-errors.ts';
import type { Multiplexer } from '../../src/shared/tunnel/multiplexer.ts';
import { tunnelOf } from '../support/tunnel.ts';

const GATEWAY = { name: 'private', uid: 'uid-of-private' };
const TIMEOUT_MS = 1_000;

/** What an agent does about a channel that is asked for. */
type Behaviour =
  | 'opens'
  | 'is silent'
  | 'is full'
  | Extract<NotOpenedReason, 'refused' | 'unreachable' | 'not-attached'>;

interface TestAgent {
  asked: number;
  stream: Multiplexer;
}

function agentThat(behaviour: Behaviour): TestAgent {
  const agent = { asked: 0 };
  const { opener } = tunnelOf({
    maxChannels: behaviour === 'is full' ? 0 : undefined,
    async accept() {
      agent.asked += 1;
      if (behaviour === 'is silent') {
        await new Promise(() => undefined);
      }
      if (behaviour !== 'opens' && behaviour !== 'is silent' && behaviour !== 'is full') {
        throw new ChannelNotOpened(behaviour, `the agent says ${behaviour}`);
      }
      return () => undefined;
    },
  });
  return Object.assign(agent, { stream: opener });
}

function linkAt(server: string): GatewayLink {
  const ids = { id: randomUUID(), identityId: randomUUID(), instanceId: randomUUID() };
  return { ...ids, gateway: GATEWAY, version: '1', connectTime: 0, server };
}

/** A relay with these agents, and others at other servers. */
function relayWith(here: readonly TestAgent[], elsewhere: Record<string, TestAgent> = {}): GatewayRelay {
  const links = Object.keys(elsewhere).map((server) => ({ ...linkAt(server), lastSeenTime: 0 }));
  const wayTo = (_uid: string, name: string): Way => ({
    name,
    async open(target, options) {
      const agent = elsewhere[name] ?? expect.fail(`no such server: ${name}`);
      return agent.stream.open(target, options);
    },
  });
  const relay = new GatewayRelay({ of: async () => links }, { wayTo });
  for (const { stream } of here) {
    relay.local.add(linkAt('here'), stream);
  }
  return relay;
}

function dial(relay: GatewayRelay) {
  return relay.dial(GATEWAY, 'api-server', TIMEOUT_MS);
}

test('without any agent there is none that is connected', async () => {
  await expect(dial(relayWith([]))).rejects.toMatchObject({ reason: 'not-connected', gateway: 'private' });
});

test('the agent that carries the least is asked', async () => {
  const [one, other] = [agentThat('opens'), agentThat('opens')];
  const relay = relayWith([one, other]);
  await Promise.all([dial(relay), dial(relay)].map((channel) => channel));
  await dial(relay);
  await dial(relay);
  expect([one.asked, other.asked]).toEqual([2, 2]);
});

test.each(['not-attached', 'unreachable', 'is full'] as const)(
  'where one is %s another is asked',
  async (behaviour) => {
    const [bad, good] = [agentThat(behaviour), agentThat('opens')];
    await dial(relayWith([bad, good]));
    expect(good.asked).toBe(1);
  },
);

test('an agent that is silent costs a part of the time once, and is the last to be asked after that', async () => {
  const [silent, good] = [agentThat('is silent'), agentThat('opens')];
  const relay = relayWith([silent, good]);
  await dial(relay);
  await dial(relay);
  expect(silent.asked).toBe(1);
  expect(good.asked).toBe(2);
});

test('agents at other servers are asked where none here can', async () => {
  const [bad, good] = [agentThat('unreachable'), agentThat('opens')];
  const away = agentThat('opens');
  await dial(relayWith([good], { 'other:1': away }));
  expect(away.asked).toBe(0);
  await dial(relayWith([bad], { 'other:1': away }));
  await dial(relayWith([], { 'other:1': away }));
  expect(away.asked).toBe(2);
});

test('after a silent one here, agents at other servers are asked at once', async () => {
  const [silent, away] = [agentThat('is silent'), agentThat('opens')];
  const relay = relayWith([silent], { 'other:1': away });
  await expect(dial(relay)).rejects.toMatchObject({ reason: 'unreachable' });
  await dial(relay);
  expect([silent.asked, away.asked]).toEqual([1, 1]);
});

test('a refusal is final, and tells what the agent said', async () => {
  const [strict, other] = [agentThat('refused'), agentThat('refused')];
  const rejection = dial(relayWith([strict, other]));
  await expect(rejection).rejects.toMatchObject({ reason: 'refused', message: 'the agent says refused' });
  expect(strict.asked + other.asked).toBe(1);
});

test('while the store is away, agents at other servers are as good as not connected', async () => {
  const away = new Unavailable('STORE_UNAVAILABLE', 'the store is away');
  const relay = new GatewayRelay({ of: () => Promise.reject(away) }, { wayTo: () => expect.fail('none is known') });
  await expect(dial(relay)).rejects.toMatchObject({ reason: 'not-connected', cause: away });
});

test('who gives up is not kept waiting, and costs no other agent its good name', async () => {
  const [silent, good] = [agentThat('is silent'), agentThat('opens')];
  const relay = relayWith([silent, good]);
  const giveUp = AbortSignal.timeout(20);
  const opening = relay.openHere(GATEWAY.uid, { kind: 'api-server' }, 60_000, giveUp);
  await expect(opening).rejects.toMatchObject({ reason: 'timeout' });
  await dial(relay);
  expect([silent.asked, good.asked]).toEqual([1, 1]);
});

test('a stream that is gone is not asked any more', async () => {
  const [gone, good] = [agentThat('opens'), agentThat('opens')];
  const relay = relayWith([gone, good]);
  gone.stream.close(new Error('cut'));
  await dial(relay);
  expect([gone.asked, good.asked]).toEqual([0, 1]);
});
