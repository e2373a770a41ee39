import type { CallContext, ServerMiddlewareCall } from 'nice-grpc-common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ConfigServiceDefinition } from '../../src/gen/leasehold/v1/config_service.ts';
import { errorsMiddleware } from '../../src/server/middleware/errors.ts';
import { RefusalFloods } from '../../src/server/refusal-floods.ts';
import { FailedPrecondition, InvalidArgument, NotFound } from '../../src/shared/domain/errors.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';

const FLOOD = 1_000;
const WINDOW_MS = 10_000;

const Line = z.object({
  msg: z.string(),
  err: z.unknown().optional(),
  summary: z.object({ count: z.number() }).optional(),
});

let lines: z.infer<typeof Line>[];
let call: (error: unknown, caller?: string) => Promise<void>;
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const log = createLogger('test', 'info', { write: (line: string) => void lines.push(Line.parse(JSON.parse(line))) });
  const errors = errorsMiddleware(log, new RefusalFloods((summary) => log.info({ summary }, 'calls refused')));
  call = async (error, caller) => {
    // biome-ignore lint/correctness/useYield: a call that fails at once.
    const next = async function* (): AsyncGenerator<never, never, undefined> {
      throw error;
    };
    const path = `/${ConfigServiceDefinition.fullName}/GetConfig`;
    const principal = { kind: 'api-key', id: caller ?? '', issuer: 'leasehold', groups: [] } as const;
    const context = { peer: '192.0.2.1:1234', ...(caller !== undefined && { principal }) } as unknown as CallContext;
    await errors({ next, method: { path } } as unknown as ServerMiddlewareCall<unknown, unknown>, context)
      .next()
      .then(
        () => expect.unreachable(),
        () => undefined,
      );
  };
});
afterEach(() => {
  vi.useRealTimers();
});

const named = (msg: string) => lines.filter((line) => line.msg === msg);
const summedUp = () => named('calls refused').reduce((sum, { summary }) => sum + (summary?.count ?? 0), 0);

test.each<[string, () => unknown, string, string | undefined]>([
  ['asks for what is not there', () => new NotFound('config', 'nothing'), 'call refused', 'alice'],
  ['sends bad requests', () => new InvalidArgument([{ field: 'name', description: 'x' }]), 'call refused', 'alice'],
  ['meets a state', () => new FailedPrecondition('LEASE_NOT_ACTIVE', 'ended'), 'call refused', 'alice'],
  ['is not known', () => new InvalidArgument([]), 'call refused', undefined],
])(
  'of a caller that %s again and again, the first lines are written, and the count of the others',
  async (_name, errorOf, msg, caller) => {
    for (let calls = 0; calls < FLOOD; calls++) {
      await call(errorOf(), caller);
    }
    expect(named(msg)).toHaveLength(5);
    expect(named(msg)[0]?.err).toBeDefined();
    vi.advanceTimersByTime(WINDOW_MS);
    expect(summedUp()).toBe(FLOOD - 5);
  },
);

test('it hides no line of another caller', async () => {
  for (let calls = 0; calls < FLOOD; calls++) {
    await call(new NotFound('config', 'nothing'), 'mallory');
  }
  await call(new NotFound('config', 'mine'), 'alice');
  expect(named('call refused')).toHaveLength(6);
});

test('an internal error is told of once in a while with its cause, whatever was refused before', async () => {
  for (let calls = 0; calls < FLOOD; calls++) {
    await call(new NotFound('config', `${calls}`), 'alice');
    await call(new TypeError('x is not a function'), 'alice');
  }
  expect(named('call failed: internal error')).toHaveLength(1);
  expect(JSON.stringify(named('call failed: internal error')[0]?.err)).toContain('x is not a function');
});
