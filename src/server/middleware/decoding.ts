import { type CallContext, ServerError, type ServerMiddlewareCall, Status } from 'nice-grpc-common';
import { NOT_OF_ITS_TYPE, Undecodable } from '../undecodable.ts';

/** Refuses messages that are not of their type; for services that are `decodingAll`. */
export async function* decodingMiddleware<Request, Response>(
  call: ServerMiddlewareCall<Request, Response>,
  context: CallContext,
) {
  const request = call.requestStream ? eachDecoded(call.request) : decoded(call.request);
  return yield* call.next(request, context);
}

async function* eachDecoded<Message>(messages: AsyncIterable<Message>): AsyncIterable<Message> {
  for await (const message of messages) {
    yield decoded(message);
  }
}

function decoded<Message>(message: Message): Message {
  if (message instanceof Undecodable) {
    throw new ServerError(Status.INVALID_ARGUMENT, NOT_OF_ITS_TYPE);
  }
  return message;
}
