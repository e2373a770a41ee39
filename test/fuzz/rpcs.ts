import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescMessage, type DescMethod, fromBinary, fromJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { FOREIGN_SERVICES } from './foreign-services.ts';

/** A method that is served, and the type of its requests. */
export interface Rpc {
  /** As HTTP/2 has it: `/package.Service/Method`. */
  path: string;
  /** `Service.Method`. */
  name: string;
  request: DescMessage;
  kind: DescMethod['methodKind'];
  at: 'server' | 'relay';
}

const OURS = new URL('../../src/gen/leasehold.binpb', import.meta.url);

/** What looks comes first, what takes away last: it would leave nothing to look at. */
const ORDER = [
  /\.(Get|List|Check|Watch|ServerReflection)/,
  /\.Renew/,
  /\.(Issue|Update|Create|Enrol|Attach|Forward)/,
  /./,
];

/** Every RPC of every service: of all our protos, so that a new one is among them, of health checking and of reflection. */
export function everyRpc(): Rpc[] {
  const ours = fromBinary(FileDescriptorSetSchema, readFileSync(OURS));
  const foreign = fromJson(FileDescriptorSetSchema, FOREIGN_SERVICES);
  const files = [ours, foreign].flatMap((set) => [...createFileRegistry(set).files]);
  const rpcs = files
    .flatMap(({ services }) => services)
    .flatMap((service) =>
      service.methods.map(
        (method): Rpc => ({
          path: `/${service.typeName}/${method.name}`,
          name: `${service.name}.${method.name}`,
          request: method.input,
          kind: method.methodKind,
          at: service.typeName.startsWith('leasehold.tunnel.') ? 'relay' : 'server',
        }),
      ),
    );
  return rpcs.sort((one, other) => orderOf(one) - orderOf(other));
}

function orderOf({ name }: Rpc): number {
  return ORDER.findIndex((pattern) => pattern.test(name));
}
