import { EventEmitter } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { UnauthenticatedCalls } from '../../src/server/limits/unauthenticated-calls.ts';
import { admitAnonymous } from '../../src/server/middleware/anonymous-calls.ts';
import type { NewCall } from '../../src/server/middleware/new-call.ts';
import { UnauthenticatedConnections } from '../../src/server/transport/unauthenticated-connections.ts';
import { recordMetrics } from '../support/record-metrics.ts';

const metrics = recordMetrics();

const CALLS = 1_000;
/** The calls of a network, with a burst of them within the time of grace. */
const MOST = 4 * 128;

test('of a burst of anonymous calls those that are too many are refused, and counted', async () => {
  const connections = new UnauthenticatedConnections({ max: 10, maxStreams: 1 }, () => undefined);
  Object.assign(connections, { isAuthenticated: () => false });
  const calls = new UnauthenticatedCalls();
  const refused: number[] = [];
  for (let index = 0; index < CALLS; index++) {
    const stream = new EventEmitter() as ServerHttp2Stream;
    const refuse = async () => void refused.push(index);
    const call: Pick<NewCall, 'metadata' | 'stream' | 'network' | 'refuse'> = {
      metadata: new Metadata(),
      stream,
      network: '192.0.2.1',
      refuse,
    };
    admitAnonymous(call as NewCall, { connections, calls });
  }
  // More of them, where the time of grace ends meanwhile.
  expect(refused.length).toBeGreaterThanOrEqual(CALLS - MOST);
  expect(refused[0]).toBe(0);
  expect(await metrics.of('leasehold.calls.refused')).toEqual([
    { value: refused.length, attributes: { 'leasehold.reason': 'TOO_MANY_UNAUTHENTICATED_CALLS' } },
  ]);
});
