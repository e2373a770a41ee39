import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ClusterCall,
  ClusterNotCalled,
  ClusterNotTrusted,
  ClusterRefused,
  ClusterUnreachable,
  GatewayLost,
  GatewayNotConnected,
  GatewayRefused,
  type Refusal,
} from '../../src/shared/domain/cluster-error.ts';
import { AccessGuard } from '../../src/shared/kubernetes/access-guard.ts';
import { FairTurns } from '../../src/shared/kubernetes/fair-turns.ts';
import type { ClusterUse } from '../../src/shared/ports/cluster.ts';
import { keepLog } from '../support/keep-log.ts';

const URL = 'https://cluster.example';
const TURNS = 3;
/** Of these one principal may hold so many. */
const TURNS_OF_ONE = 2;
const CALL_TIMEOUT_MS = 10_000;
const USE: ClusterUse = { purpose: 'take-down', principal: 'tester' };
const LONGEST_REST_MS = 15_000;
const CALL: ClusterCall = { verb: 'get', apiGroup: '', resource: 'serviceaccounts', namespace: 'team', name: 'a' };

let guard: AccessGuard;
let lines: string[];
beforeEach(() => {
  vi.useFakeTimers();
  const kept = keepLog();
  lines = kept.lines;
  const access = { cluster: URL, configUid: 'config', turns: new FairTurns(TURNS), outage: undefined };
  guard = new AccessGuard(access, CALL_TIMEOUT_MS, kept.log);
});
afterEach(() => {
  vi.useRealTimers();
});

const refused = (status: number, rest: Partial<Refusal> = {}) =>
  new ClusterRefused(CALL, { status, message: 'no', reason: '', objectName: '', retryAfterMs: undefined, ...rest });
const WAIT = 'admission webhook "w" denied the request: later';
const unreachable = () => new ClusterUnreachable(CALL, 'connection reset');

/** What becomes of a call that the cluster answers so; 'not sent' where the guard kept it back. */
async function callThat(answer: unknown): Promise<unknown> {
  let sent = false;
  const outcome = await guard
    .run(CALL, USE, async () => {
      sent = true;
      if (answer instanceof Error) {
        throw answer;
      }
      return answer;
    })
    .catch((error) => error);
  return sent ? outcome : 'not sent';
}

async function failInARow(times: number, failure: () => Error = unreachable): Promise<void> {
  for (let i = 0; i < times; i++) {
    expect(await callThat(failure())).toBeInstanceOf(Error);
  }
}

function whyNotCalled(): Promise<ClusterNotCalled> {
  return guard
    .run(CALL, USE, async () => 'answer')
    .then(
      () => expect.fail('the call was made'),
      (error) => error,
    );
}

describe('a cluster whose calls keep failing', () => {
  test('is not called after five failures in a row, and the caller is told why and for how long', async () => {
    await failInARow(4);
    expect(await callThat('answer')).toBe('answer');
    await failInARow(5);

    const error = await whyNotCalled();
    expect(error).toBeInstanceOf(ClusterNotCalled);
    expect(error.effectUnknown).toBe(false);
    expect(error.message).toContain('calls to it keep failing; the last: no answer came');
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(500);
    expect(error.retryAfterMs).toBeLessThanOrEqual(1000);
  });

  test('is probed by one call after that time, and called again once it answered', async () => {
    await failInARow(5);
    vi.advanceTimersByTime((await whyNotCalled()).retryAfterMs ?? 0);

    const probe = Promise.withResolvers<string>();
    const probing = guard.run(CALL, USE, () => probe.promise);
    expect(await callThat('second')).toBe('not sent');
    probe.resolve('first');
    expect(await probing).toBe('first');
    expect(await Promise.all([callThat('third'), callThat('fourth')])).toEqual(['third', 'fourth']);
  });

  test('rests longer after each failed probe, but never so long that it is not noticed when it is back', async () => {
    await failInARow(5);
    const rests: number[] = [];
    for (let probes = 0; probes < 8; probes++) {
      const rest = (await whyNotCalled()).retryAfterMs ?? 0;
      rests.push(rest);
      vi.advanceTimersByTime(rest);
      expect(await callThat(unreachable())).toBeInstanceOf(ClusterUnreachable);
    }
    expect(rests[3]).toBeGreaterThan(rests[0] ?? 0);
    expect(Math.max(...rests)).toBeLessThanOrEqual(LONGEST_REST_MS);
    expect(Math.min(...rests.slice(-2))).toBeGreaterThanOrEqual(LONGEST_REST_MS / 2);
  });

  test('is logged once when it begins and once when it is over', async () => {
    await failInARow(5);
    for (let probes = 0; probes < 3; probes++) {
      vi.advanceTimersByTime(LONGEST_REST_MS);
      await callThat(unreachable());
    }
    vi.advanceTimersByTime(LONGEST_REST_MS);
    await callThat('answer');
    expect(lines).toEqual([
      'warn: calls to the cluster keep failing: it is given a rest',
      'info: the cluster answers again',
    ]);
  });

  test('is probed in time though the wall clock jumps back', async () => {
    await failInARow(5);
    vi.setSystemTime(Date.now() - 3_600_000);
    vi.advanceTimersByTime(1000);
    expect(await callThat('answer')).toBe('answer');
  });
});

describe('failures that one principal can arrange', () => {
  const callOf = async (use: ClusterUse, answer: unknown) => {
    let sent = false;
    const outcome = await guard
      .run(CALL, use, async () => {
        sent = true;
        return answer instanceof Error ? Promise.reject(answer) : answer;
      })
      .catch((error: Error) => error);
    return sent ? outcome : 'not sent';
  };
  const failFor = async (principal: string, failure: () => Error, times = 5) => {
    for (let i = 0; i < times; i++) {
      await callOf({ purpose: 'issue', principal }, failure());
    }
  };
  const timeout = () => refused(504, { reason: 'Timeout' });

  test.each<[string, ClusterUse['purpose'], () => Error]>([
    ['calls that hang', 'take-down', unreachable],
    ['calls that hang', 'issue', unreachable],
    ['calls that hang', 'question', unreachable],
    ['calls that the API server gives up', 'take-down', timeout],
    ['calls that the API server gives up', 'issue', timeout],
    ['calls that the API server gives up', 'trial', timeout],
  ])('%s give a rest to theirs, and to no %s of another', async (_, purpose, failure) => {
    await failFor('attacker', failure, 20);
    expect(await callOf({ purpose, principal: 'attacker' }, 'answer')).toBe('not sent');
    expect(await callOf({ purpose, principal: 'victim' }, 'answer')).toBe('answer');
    expect(await callOf({ purpose, principal: undefined }, 'answer')).toBe('answer');
  });

  test.each<[ClusterUse['purpose'], string]>([
    ['take-down', 'answer'],
    ['issue', 'not sent'],
    ['question', 'not sent'],
    ['trial', 'not sent'],
  ])('where several have them, a %s of another is: %s', async (purpose, outcome) => {
    await failFor('one', unreachable);
    await failFor('other', unreachable, 5);
    expect(await callOf({ purpose, principal: 'victim' }, 'answer')).toBe(outcome);
  });

  test('of several do not count where somebody was answered since', async () => {
    await failFor('one', unreachable);
    await callOf({ purpose: 'issue', principal: 'victim' }, 'answer');
    await failFor('other', unreachable);
    expect(await callOf({ purpose: 'issue', principal: 'another' }, 'answer')).toBe('answer');
  });

  test('of several let others try again after their rest', async () => {
    await failFor('one', unreachable);
    await failFor('other', unreachable);
    vi.advanceTimersByTime(LONGEST_REST_MS);
    expect(await callOf({ purpose: 'issue', principal: 'victim' }, 'answer')).toBe('answer');
  });

  test('do not find out whether the cluster is back: another does, and at last they may', async () => {
    await failFor('attacker', unreachable);
    await failFor('victim', () => refused(502));
    vi.advanceTimersByTime(LONGEST_REST_MS);
    const hang = () => callOf({ purpose: 'issue', principal: 'attacker' }, unreachable());
    expect(await hang()).toBe('not sent');
    vi.advanceTimersByTime(LONGEST_REST_MS);
    expect(await hang()).toBeInstanceOf(ClusterUnreachable);
    vi.advanceTimersByTime(LONGEST_REST_MS);
    expect(await hang()).toBe('not sent');
    expect(await callOf({ purpose: 'take-down', principal: 'victim' }, 'answer')).toBe('answer');
  });

  test('are apart from those that nobody can arrange, which count for all', async () => {
    await failFor('one', () => refused(502), 3);
    await failFor('other', unreachable, 1);
    await failFor('other', () => refused(502), 2);
    for (const purpose of ['take-down', 'issue'] as const) {
      expect(await callOf({ purpose, principal: 'victim' }, 'answer')).toBe('not sent');
    }
  });
});

describe('what speaks for a sick cluster', () => {
  test.each([
    ['no answer', unreachable],
    ['no connection', () => new ClusterNotCalled(CALL, 'connection refused')],
    ['a 429 that says no time', () => refused(429)],
    ['a 500 of something in front of it', () => refused(500)],
    ['a 502', () => refused(502)],
    ['a 503 that says no time', () => refused(503, { reason: 'ServiceUnavailable' })],
    ['a 504', () => refused(504, { reason: 'Timeout' })],
  ])('%s', async (_, failure) => {
    await failInARow(5, failure);
    expect(await callThat('answer')).toBe('not sent');
  });

  test.each([
    ['401', () => refused(401)],
    ['403', () => refused(403)],
    ['404', () => refused(404)],
    ['409', () => refused(409)],
    ['a 429 that says when', () => refused(429, { retryAfterMs: 0 })],
    ['a 500 in its own words', () => refused(500, { reason: 'InternalError' })],
    [
      'a webhook that denies with a 503',
      () => refused(503, { message: 'admission webhook "w" denied the request: no' }),
    ],
    ['a webhook that asks to wait', () => refused(429, { message: WAIT, retryAfterMs: 60_000 })],
    ['a certificate that one config does not trust', () => new ClusterNotTrusted(CALL, 'unknown CA')],
    ['a gateway without an agent', () => new GatewayNotConnected(CALL, 'private')],
    ['a gateway that refuses', () => new GatewayRefused(CALL, 'private', 'no')],
    ['a gateway that was lost in the midst of a call', () => new GatewayLost(CALL, 'lost')],
  ])('but not %s, and it breaks the row', async (_, failure) => {
    await failInARow(10, failure);
    await failInARow(4);
    await failInARow(1, failure);
    await failInARow(4);
    expect(await callThat('answer')).toBe('answer');
  });
});

describe('a cluster that asks for a rest', () => {
  test.each([429, 503])('by a %i with Retry-After is not called for so long', async (status) => {
    const said = refused(status, { message: 'too busy', retryAfterMs: 3000 });
    expect(await callThat(said)).toBe(said);
    vi.advanceTimersByTime(1000);

    const error = await whyNotCalled();
    expect(error).toBeInstanceOf(ClusterNotCalled);
    expect(error.message).toContain(`it answered ${status} with Retry-After`);
    expect(error.message).not.toContain('too busy');
    expect(error.retryAfterMs).toBe(2000);
    vi.advanceTimersByTime(2000);
    expect(await callThat('answer')).toBe('answer');
  });

  test('is not sent the calls that were waiting for their turn either', async () => {
    const said = refused(429, { retryAfterMs: 3000 });
    const outcomes = await Promise.all([said, said, 'a', 'b'].map(callThat));
    expect(outcomes).toEqual([said, said, 'not sent', 'not sent']);
  });
});

describe('calls at the same time', () => {
  /** Calls that stay under way until they are released. */
  function hold(count: number): { release(): void; running(): number; done: Promise<unknown[]> } {
    const gate = Promise.withResolvers<void>();
    let running = 0;
    const calls = Array.from({ length: count }, () =>
      guard.run(CALL, USE, async () => {
        running++;
        await gate.promise;
        running--;
      }),
    );
    return { release: gate.resolve, running: () => running, done: Promise.allSettled(calls) };
  }

  test('are bounded; the others wait for their turn', async () => {
    const held = hold(5);
    await vi.advanceTimersByTimeAsync(0);
    expect(held.running()).toBe(TURNS_OF_ONE);

    held.release();
    expect((await held.done).map((each) => (each as PromiseSettledResult<unknown>).status)).toEqual(
      Array.from({ length: 5 }, () => 'fulfilled'),
    );
  });

  test('that could not all wait are refused at once', async () => {
    const held = hold(TURNS_OF_ONE + 256);
    const error = await whyNotCalled();
    expect(error).toBeInstanceOf(ClusterNotCalled);
    expect(error.retryAfterMs).toBe(1000);
    held.release();
    await held.done;
  });

  test('have their deadline from when they were asked for', async () => {
    const held = hold(2);
    const told: number[] = [];
    const waiting = guard.run(CALL, USE, async (timeoutMs) => void told.push(timeoutMs));
    vi.advanceTimersByTime(4000);
    held.release();
    await waiting;
    expect(told).toEqual([6000]);
  });

  test('are not made at all once that has passed', async () => {
    const held = hold(2);
    const late = callThat('answer');
    vi.advanceTimersByTime(CALL_TIMEOUT_MS);
    held.release();
    expect(await late).toBe('not sent');
  });
});
