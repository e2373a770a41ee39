import type {
  CallOptions,
  ChannelOptions,
  ClientDuplexStream,
  handleBidiStreamingCall,
  handleUnaryCall,
  ServiceDefinition,
} from '@grpc/grpc-js';
import { Client, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import {
  AttachRequest,
  AttachResponse,
  EnrolRequest,
  EnrolResponse,
  ForwardRequest,
  ForwardResponse,
  type MessageFns,
  TunnelServiceDefinition,
} from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';

/** What a server of the tunnel does. */
export type TunnelHandlers = {
  enrol: handleUnaryCall<EnrolRequest, EnrolResponse>;
  attach: handleBidiStreamingCall<AttachRequest, AttachResponse>;
  forward: handleBidiStreamingCall<ForwardRequest, ForwardResponse>;
};

/** The service for `Server.addService`. */
export const tunnelService = {
  enrol: method('enrol', EnrolRequest, EnrolResponse),
  attach: method('attach', AttachRequest, AttachResponse),
  forward: method('forward', ForwardRequest, ForwardResponse),
} satisfies ServiceDefinition<TunnelHandlers>;

/**
 * For servers and clients. A connection that shows no sign of life for 15 s is given up, and middleboxes see that a living
 * one is used. Messages are small (`inMessages`). HTTP/2 lets 64 KiB be under way by default, for all channels together:
 * too little for what comes from far. grpc-js can change that for what comes to a client only.
 */
export const tunnelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 1024 * 1024,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
} satisfies ChannelOptions;

/** A client of the tunnel. */
export class TunnelClient extends Client {
  /** Rejects with a grpc-js ServiceError. */
  enrol(request: EnrolRequest, options: CallOptions): Promise<EnrolResponse> {
    const { path, requestSerialize, responseDeserialize } = tunnelService.enrol;
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options,
        (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      );
    });
  }

  attach(metadata = new Metadata(), options: CallOptions = {}): ClientDuplexStream<AttachRequest, AttachResponse> {
    const { path, requestSerialize, responseDeserialize } = tunnelService.attach;
    return this.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  }

  forward(metadata = new Metadata(), options: CallOptions = {}): ClientDuplexStream<ForwardRequest, ForwardResponse> {
    const { path, requestSerialize, responseDeserialize } = tunnelService.forward;
    return this.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  }
}

function method<Request, Response>(
  key: keyof typeof TunnelServiceDefinition.methods,
  request: MessageFns<Request>,
  response: MessageFns<Response>,
): MethodDefinition<Request, Response> {
  const { name, requestStream, responseStream } = TunnelServiceDefinition.methods[key];
  return {
    path: `/${TunnelServiceDefinition.fullName}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: (message) => bytesOf(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => bytesOf(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** Without a copy. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
