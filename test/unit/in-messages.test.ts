import { expect, test } from 'vitest';
import type { Frame } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Frames } from '../../src/gen/leasehold/tunnel/v1/tunnel_service.ts';
import { MAX_DATA } from '../../src/shared/tunnel/credit.ts';
import { inMessages } from '../../src/shared/tunnel/in-messages.ts';
import { tunnelOptions } from '../../src/shared/tunnel/tunnel-service.ts';

const data: Frame = { channel: 512, kind: { $case: 'data', value: Buffer.alloc(MAX_DATA) } };
const close: Frame = { channel: 512, kind: { $case: 'close', value: { reason: 4, message: '\u{20ac}'.repeat(256) } } };

test.each([
  ['data', data],
  ['reasons', close],
])('however many frames with %s there are, each message is one that the other side takes', (_, frame) => {
  const messages = inMessages(Array.from({ length: 5000 }, () => frame));
  for (const frames of messages) {
    expect(Frames.encode({ frames }).finish().length).toBeLessThan(tunnelOptions['grpc.max_receive_message_length']);
  }
  expect(messages.flat().length).toBe(5000);
});

test('frames keep their order, in as few messages as may be', () => {
  const frames = Array.from(
    { length: 1500 },
    (_, channel): Frame => ({ channel, kind: { $case: 'credit', value: 1 } }),
  );
  expect(inMessages(frames).map(({ length }) => length)).toEqual([1024, 476]);
  expect(inMessages(frames).flat()).toEqual(frames);
  expect(inMessages([])).toEqual([]);
});
