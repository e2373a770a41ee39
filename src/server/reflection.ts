import { readFileSync } from 'node:fs';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection';

const DESCRIPTORS = new URL('../gen/leasehold.binpb', import.meta.url);

/** ServerReflectionRequest.file_containing_extension, the one field that holds a message. */
const MESSAGE_FIELD = 5;

/**
 * Reflection's service definition. What decodes its requests (google-protobuf) believes what a text says of its length: a
 * few bytes keep it busy for minutes, and the process with it. So lengths are looked at before.
 */
export const reflectionDefinition = {
  serverReflectionInfo: {
    ...ServerReflectionService.serverReflectionInfo,
    requestDeserialize(bytes: Buffer) {
      requireWellFormed(bytes, MESSAGE_FIELD);
      return ServerReflectionService.serverReflectionInfo.requestDeserialize(bytes);
    },
  },
};

/** Tells of these services, and of the types of errors' details. */
export function reflection(services: readonly { fullName: string }[]) {
  return ServerReflection(
    readFileSync(DESCRIPTORS),
    services.map(({ fullName }) => fullName),
  );
}

/** Throws where a field is longer than what holds it. `messageField`: one that holds a message itself. */
function requireWellFormed(bytes: Uint8Array, messageField?: number): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === messageField && wireType === WireType.LengthDelimited) {
      requireWellFormed(reader.bytes());
    } else {
      reader.skip(wireType, field);
    }
  }
}
