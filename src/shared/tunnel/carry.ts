import type { EventEmitter } from 'node:events';
import { type ClientDuplexStream, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type {
  AttachRequest,
  AttachResponse,
  ForwardRequest,
  ForwardResponse,
  Frame,
  Frames,
} from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { Backlog } from './backlog.ts';
import { inMessages } from './in-messages.ts';
import { Multiplexer, type MultiplexerOptions } from './multiplexer.ts';
import { StreamEnd } from './stream-end.ts';

/** Which channels the stream carries. */
export type CarryOptions = Pick<MultiplexerOptions, 'accept' | 'maxChannels'>;

/** Channels over one gRPC stream. */
export interface Carried {
  multiplexer: Multiplexer;
  /** Resolves with why the stream ended, whoever ended it; the multiplexer is closed by then. */
  over: Promise<Error>;
  /** Ends the stream. On the server, `code` and `details` of `why` (grpc-js ServerErrorResponse) are the status that the other side sees. */
  end(why: Error): void;
}

/** The agent's side of Attach, from the welcome on. To be called in the same turn: a message may follow at once. */
export function carryAttachOnAgent(
  call: ClientDuplexStream<AttachRequest, AttachResponse>,
  options: CarryOptions,
): Carried {
  return carry<AttachResponse, AttachRequest>(call, options, {
    wrap: (frames) => ({ kind: { $case: 'frames', value: frames } }),
    unwrap: ({ kind }) => (kind?.$case === 'frames' ? kind.value : undefined),
    end: () => call.cancel(),
  });
}

/** The server's side of Attach, once it has written the welcome. */
export function carryAttachOnServer(
  call: ServerDuplexStream<AttachRequest, AttachResponse>,
  options: CarryOptions,
): Carried {
  return carry<AttachRequest, AttachResponse>(call, options, {
    wrap: (frames) => ({ kind: { $case: 'frames', value: frames } }),
    unwrap: ({ kind }) => (kind?.$case === 'frames' ? kind.value : undefined),
    end: (why) => call.emit('error', why),
  });
}

/** The side of Forward that called. */
export function carryForwardOnCaller(
  call: ClientDuplexStream<ForwardRequest, ForwardResponse>,
  options: CarryOptions = {},
): Carried {
  return carry<ForwardResponse, ForwardRequest>(call, options, {
    wrap: (frames) => ({ frames }),
    unwrap: ({ frames }) => frames,
    end: () => call.cancel(),
  });
}

/** The side of Forward that holds the gateway's stream. */
export function carryForwardOnHolder(
  call: ServerDuplexStream<ForwardRequest, ForwardResponse>,
  options: CarryOptions,
): Carried {
  return carry<ForwardRequest, ForwardResponse>(call, options, {
    wrap: (frames) => ({ frames }),
    unwrap: ({ frames }) => frames,
    end: (why) => call.emit('error', why),
  });
}

/** What differs between the four. */
interface Side<In, Out> {
  wrap(frames: Frames): Out;
  unwrap(message: In): Frames | undefined;
  end(why: Error): void;
}

/** What both kinds of grpc-js calls are. */
type Call<Out> = EventEmitter & { readonly destroyed: boolean; write(message: Out, sent: () => void): boolean };

function carry<In, Out>(call: Call<Out>, options: CarryOptions, side: Side<In, Out>): Carried {
  const over = Promise.withResolvers<Error>();
  const backlog = new Backlog();
  let isOver = false;
  const finish = (why: Error): void => {
    isOver = true;
    multiplexer.close(why);
    over.resolve(why);
  };
  const end = (why: Error): void => {
    if (!isOver) {
      finish(why);
      side.end(why);
    }
  };
  const multiplexer = new Multiplexer({
    ...options,
    send: (frames: Frame[]) => {
      for (const message of inMessages(frames)) {
        call.write(side.wrap({ frames: message }), backlog.add(message));
      }
      if (backlog.isTooLong) {
        end(new StreamEnd(status.RESOURCE_EXHAUSTED, 'the other side does not read what it is sent'));
      }
    },
    fail: end,
  });
  call.on('data', (message: In) => {
    const frames = side.unwrap(message);
    if (frames) {
      multiplexer.receive(frames.frames);
    } else {
      end(new StreamEnd(status.INVALID_ARGUMENT, 'the other side sent something else than frames'));
    }
  });
  call.on('error', finish);
  call.on('end', () => end(new StreamEnd(status.OK, 'the other side ended the stream')));
  // On the server, that is all that one sees of a client that cancelled, or whose connection was lost.
  const cutOff = () => finish(new Error('the stream was cut off'));
  call.on('close', cutOff);
  if (call.destroyed) {
    // It may have been cut off during the handshake: then there is no event to come.
    cutOff();
  }
  return { multiplexer, over: over.promise, end };
}
