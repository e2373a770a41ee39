import type { ChannelOptions } from '@grpc/grpc-js';

/** For both ends of a tunnel's connection. One that shows no sign of life for 15 s is given up, and
 * middleboxes see that a living one is used. */
export const connectionOptions: ChannelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  // Bytes under way to a side that is far: the default would hold a stream of channels up.
  'grpc-node.flow_control_window': 1024 * 1024,
  // Messages are far smaller; nobody has a reason to send more.
  'grpc.max_receive_message_length': 1024 * 1024,
};
