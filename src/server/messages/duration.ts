import type { Duration } from '../../gen/google/protobuf/duration.ts';

export function durationOf(seconds: number): Duration {
  return { seconds: BigInt(seconds), nanos: 0 };
}
