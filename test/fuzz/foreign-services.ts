import type { JsonValue } from '@bufbuild/protobuf';

const optional = (name: string, number: number, type: string, typeName?: string) => ({
  name,
  number,
  type,
  label: 'LABEL_OPTIONAL',
  ...(typeName === undefined ? {} : { typeName }),
});

/** The services that others describe, as a FileDescriptorSet: requests as their protos have them, answers left out. */
export const FOREIGN_SERVICES: JsonValue = {
  file: [
    {
      name: 'grpc/health/v1/health.proto',
      package: 'grpc.health.v1',
      syntax: 'proto3',
      messageType: [{ name: 'HealthCheckRequest', field: [optional('service', 1, 'TYPE_STRING')] }],
      service: [
        {
          name: 'Health',
          method: ['Check', 'Watch'].map((name) => ({
            name,
            inputType: '.grpc.health.v1.HealthCheckRequest',
            outputType: '.grpc.health.v1.HealthCheckRequest',
            serverStreaming: name === 'Watch',
          })),
        },
      ],
    },
    {
      name: 'grpc/reflection/v1/reflection.proto',
      package: 'grpc.reflection.v1',
      syntax: 'proto3',
      messageType: [
        {
          name: 'ServerReflectionRequest',
          field: [
            optional('host', 1, 'TYPE_STRING'),
            ...[
              optional('file_by_filename', 3, 'TYPE_STRING'),
              optional('file_containing_symbol', 4, 'TYPE_STRING'),
              optional('file_containing_extension', 5, 'TYPE_MESSAGE', '.grpc.reflection.v1.ExtensionRequest'),
              optional('all_extension_numbers_of_type', 6, 'TYPE_STRING'),
              optional('list_services', 7, 'TYPE_STRING'),
            ].map((field) => ({ ...field, oneofIndex: 0 })),
          ],
          oneofDecl: [{ name: 'message_request' }],
        },
        {
          name: 'ExtensionRequest',
          field: [optional('containing_type', 1, 'TYPE_STRING'), optional('extension_number', 2, 'TYPE_INT32')],
        },
      ],
      service: [
        {
          name: 'ServerReflection',
          method: [
            {
              name: 'ServerReflectionInfo',
              inputType: '.grpc.reflection.v1.ServerReflectionRequest',
              outputType: '.grpc.reflection.v1.ServerReflectionRequest',
              clientStreaming: true,
              serverStreaming: true,
            },
          ],
        },
      ],
    },
  ],
};
