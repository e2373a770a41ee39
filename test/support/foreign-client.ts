import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ensurePythonWithGrpc } from '../servers/python.ts';
import { ADMIN_KEY, SERVER_CA, SERVER_NAME } from './security.ts';

const SCRIPT = fileURLToPath(new URL('foreign-client.py', import.meta.url));
const DESCRIPTORS = fileURLToPath(new URL('../../src/gen/leasehold.binpb', import.meta.url));

/** A call by a client of another language. */
export interface ForeignCall {
  /** `leasehold.v1.ConfigService/ListConfigs`. */
  method: string;
  /** As protobuf's JSON. */
  request?: object;
  /** Whether the answer is a stream. */
  stream?: boolean;
  /** Left out: no deadline. */
  timeoutSeconds?: number;
  /** Reads page after page; of each item in `field`, only `key` is told. */
  listed?: { field: string; key: string };
}

const ForeignOutcome = z.object({
  /** Each as protobuf's JSON. */
  messages: z.array(z.record(z.string(), z.unknown())),
  error: z
    .object({
      code: z.string(),
      message: z.string(),
      /** That of the google.rpc.Status; empty where none came. */
      statusMessage: z.string(),
      details: z.array(z.looseObject({ '@type': z.string() })),
    })
    .optional(),
});
export type ForeignOutcome = z.infer<typeof ForeignOutcome>;

let python: Promise<string> | undefined;

/** Finds or installs Python's gRPC, which may take minutes where it is not there. Throws where it cannot be had. */
export function preparePython(): Promise<string> {
  python ??= ensurePythonWithGrpc((line) => console.error(line));
  return python;
}

/** Makes calls by Python's gRPC, with its default options, as the caller who may do everything. */
export async function callByPython(address: string, calls: readonly ForeignCall[]): Promise<ForeignOutcome[]> {
  const child = spawn(await preparePython(), [SCRIPT]);
  const ended = once(child, 'close');
  child.stdin.end(
    JSON.stringify({
      ...{ address, ca: SERVER_CA, serverName: SERVER_NAME, bearer: ADMIN_KEY.reveal(), descriptors: DESCRIPTORS },
      calls,
    }),
  );
  const [output, problems, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) {
    throw new Error(`Python's client failed (${code}): ${problems}`);
  }
  return z.array(ForeignOutcome).parse(JSON.parse(output));
}
