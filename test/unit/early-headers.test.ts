import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { boundEarlyHeaders } from '../../src/server/transport/early-headers.ts';
import { framed } from '../support/raw-grpc.ts';

const DAY_MS = 86_400_000;
const METHOD = '/test.Test/Deadline';

/** Longest that a machine which is busy may take for a call. */
const SLACK_MS = 60_000;

const asIs = (bytes: Buffer) => bytes;

/** How far off the server of grpc-js, as it is, takes a deadline to be, in ms. */
async function takenFor(timeout: string | undefined): Promise<number> {
  const server = new Server();
  let seen: (deadline: number) => void = () => undefined;
  const deadline = new Promise<number>((resolve) => {
    seen = resolve;
  });
  server.addService(
    {
      deadline: {
        path: METHOD,
        requestStream: false,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    },
    {
      deadline: (call: { getDeadline(): Date | number }, answer: (error: null, message: Buffer) => void) => {
        seen(Number(call.getDeadline()) - Date.now());
        answer(null, Buffer.of());
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    await once(session, 'connect');
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: METHOD,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      ...(timeout === undefined ? {} : { 'grpc-timeout': timeout }),
    });
    // Neither an error of the stream nor its trailers matter here.
    stream.on('error', () => undefined).resume();
    stream.end(framed(Buffer.of()));
    return await deadline;
  } finally {
    session.destroy();
    server.forceShutdown();
  }
}

async function allowed(timeout: string | undefined): Promise<number> {
  const headers = boundEarlyHeaders();
  try {
    return await takenFor(timeout);
  } finally {
    headers.close();
  }
}

test.each([
  ['2147484S', '24.86 days, the first that does not fit'],
  ['2160000S', '25 days'],
  ['36000M', '25 days in minutes'],
  ['600H', '25 days in hours'],
  ['4233600S', '49 days'],
  ['4294968S', '49.71 days, which wrap to 704 ms'],
  ['4320000S', '50 days, which wrap to 7 hours'],
  ['8589935S', '99.42 days, which wrap to 408 ms'],
  ['27000H', "3 years, the most that Python's client sends"],
  ['876000H', '100 years'],
  ['99999999S', '3 years in seconds'],
  ['99999999M', '190 years'],
  ['99999999H', 'the longest that can be said'],
  ['123456789S', 'more digits than may be said, of which grpc-js reads the last eight'],
])('a deadline of %s is none: %s', async (timeout) => {
  expect(await allowed(timeout)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  ['86400S', DAY_MS],
  ['24H', DAY_MS],
  ['1440M', DAY_MS],
  ['86400000m', DAY_MS],
  ['2142720S', 24.8 * DAY_MS],
  ['2147483S', 2_147_483_000],
  ['99999999m', 99_999_999],
  ['99999999u', 99_999],
])('a deadline of %s stays one of %i ms', async (timeout, ms) => {
  const left = await allowed(timeout);
  expect(left).toBeLessThanOrEqual(ms);
  expect(left).toBeGreaterThan(ms - SLACK_MS);
});

test('no deadline is none', async () => {
  expect(await allowed(undefined)).toBe(Number.POSITIVE_INFINITY);
});

test('grpc-js cuts long deadlines: once this fails, boundDeadline is not needed any more', async () => {
  expect(await takenFor('2160000S')).toBeLessThan(0);
});
