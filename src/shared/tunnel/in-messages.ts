import type { Frame } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** Bytes of data in one message. gRPC refuses messages of more than 4 MiB by default; long ones hold up others. */
const MAX_BYTES = 256 * 1024;

/** Frames without data are small: this many are about 10 KiB, unless they tell why a channel closed. */
const MAX_FRAMES = 1024;

/** Splits frames into as few messages as may be, in their order. */
export function inMessages(frames: Frame[]): Frame[][] {
  const messages: Frame[][] = [];
  let message: Frame[] = [];
  let bytes = 0;
  for (const frame of frames) {
    const size = frame.kind?.$case === 'data' ? frame.kind.value.length : 0;
    if (message.length === MAX_FRAMES || bytes + size > MAX_BYTES) {
      messages.push(message);
      message = [];
      bytes = 0;
    }
    message.push(frame);
    bytes += size;
  }
  return message.length === 0 ? messages : [...messages, message];
}
