import type { CompatServiceDefinition } from 'nice-grpc';

/** Stands for a message that is not of its type. */
export class Undecodable {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** What is said of it. */
export const NOT_OF_ITS_TYPE = 'the request is no message of the type of this method';

type Decode = (bytes: Uint8Array) => unknown;

/** A method as ts-proto or protoc-gen-js describe it: what decodes its requests. */
type Method = { requestType: { decode: Decode } } | { requestDeserialize: Decode };

/**
 * A service definition whose requests decode always, to an Undecodable where they cannot. A message that throws there is
 * answered by grpc-js, as gRPC's libraries do, with INTERNAL, which says that the fault is ours: it is the caller's
 * (google.rpc.Code, INVALID_ARGUMENT).
 */
export function decodingAll<Definition extends CompatServiceDefinition>(definition: Definition): Definition {
  const { methods } = definition as unknown as { methods?: Record<string, Method> };
  const decoding = methods
    ? { ...definition, methods: withAll(methods) }
    : withAll(definition as unknown as Record<string, Method>);
  return decoding as unknown as Definition;
}

/** `decode`, which throws nothing any more. */
function orUndecodable(decode: Decode): Decode {
  return (bytes) => {
    try {
      return decode(bytes);
    } catch (error) {
      return new Undecodable(error);
    }
  };
}

function withAll(methods: Record<string, Method>): Record<string, Method> {
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, withOne(method)]));
}

function withOne(method: Method): Method {
  // Of protoc-gen-js's there is a requestType, too.
  return 'requestDeserialize' in method
    ? { ...method, requestDeserialize: orUndecodable(method.requestDeserialize) }
    : { ...method, requestType: { ...method.requestType, decode: orUndecodable(method.requestType.decode) } };
}
