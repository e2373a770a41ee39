import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Leasehold, startLeasehold } from '../../support/leasehold.ts';
import { ADMIN_KEY, SERVER_CA_FILE, secureChannel } from '../../support/security.ts';

// What a person finds out of a server with buf, which knows nothing of it but its address and an API key.

const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const CREDENTIALS = `authorization: Bearer ${ADMIN_KEY.reveal()}`;

let leasehold: Leasehold;
beforeAll(async () => {
  leasehold = await startLeasehold(inject('redisUrl'));
});
afterAll(() => leasehold.stop());

/** Runs `buf curl`; only what is given goes beyond the address. */
async function bufCurl(path: string, ...flags: string[]): Promise<{ code: number; output: string; problems: string }> {
  const address = leasehold.address.replace('127.0.0.1', 'localhost');
  const child = spawn(
    BUF,
    ['curl', '--protocol', 'grpc', '--cacert', SERVER_CA_FILE, ...flags, `https://${address}${path}`],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = once(child, 'close');
  const [output, problems, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, output, problems };
}

const REFLECTING = ['-H', CREDENTIALS, '--reflect-header', '*'];

test('its services are listed, that of its health among them', async () => {
  const { code, output } = await bufCurl('', '--reflect-header', CREDENTIALS, '--list-services');
  expect(output.trim().split('\n').sort()).toEqual([
    'grpc.health.v1.Health',
    'leasehold.v1.ConfigService',
    'leasehold.v1.GatewayService',
    'leasehold.v1.LeaseService',
  ]);
  expect(code).toBe(0);
});

test.each([
  ['/grpc.health.v1.Health/Check', { status: 'SERVING' }],
  ['/leasehold.v1.ConfigService/ListConfigs', {}],
  ['/leasehold.v1.LeaseService/ListLeases', {}],
  ['/leasehold.v1.GatewayService/ListGateways', {}],
])('%s is called without its protos', async (path, answer) => {
  const { output, problems } = await bufCurl(path, ...REFLECTING);
  expect(problems).toBe('');
  expect(JSON.parse(output)).toEqual(answer);
});

test('without credentials reflection tells nothing, though the call may be made', async () => {
  const { code } = await bufCurl('/grpc.health.v1.Health/Check', '-H', CREDENTIALS);
  expect(code).not.toBe(0);
});

const FILE_BY_FILENAME = 0x1a;
const FILE_CONTAINING_SYMBOL = 0x22;

/** What reflection answers, as the bytes that it is. `field`: the tag of ServerReflectionRequest's. */
async function reflected(field: number, name: string): Promise<string> {
  const { credentials, options } = secureChannel();
  const client = new Client(leasehold.address, credentials, options);
  const asIs = (message: Buffer) => message;
  const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', asIs, asIs);
  const answer = new Promise<string>((resolve, reject) => {
    call.on('data', (message: Buffer) => resolve(message.toString('latin1')));
    call.on('error', reject);
  });
  call.end(Buffer.concat([Buffer.of(field, name.length), Buffer.from(name)]));
  return answer.finally(() => client.close());
}

test.each([
  ['google.rpc.Status', 'google/rpc/status.proto', 'google/protobuf/any.proto'],
  ['google.rpc.BadRequest', 'google/rpc/error_details.proto', 'google/protobuf/duration.proto'],
  ['google.rpc.ErrorInfo', 'google/rpc/error_details.proto', 'google/protobuf/duration.proto'],
  ['google.rpc.QuotaFailure', 'google/rpc/error_details.proto', 'google/protobuf/duration.proto'],
  ['google.rpc.ResourceInfo', 'google/rpc/error_details.proto', 'google/protobuf/duration.proto'],
  ['google.rpc.RetryInfo', 'google/rpc/error_details.proto', 'google/protobuf/duration.proto'],
  ['leasehold.v1.Config', 'leasehold/v1/config.proto', 'google/protobuf/timestamp.proto'],
])('who is shown a %s can ask what it is', async (symbol, file, imported) => {
  const answer = await reflected(FILE_CONTAINING_SYMBOL, symbol);
  expect(answer).not.toContain('not found');
  expect(answer).toContain(file);
  expect(answer).toContain(imported);
  expect(await reflected(FILE_BY_FILENAME, imported)).not.toContain('not found');
});
