import { randomUUID } from 'node:crypto';
import { connect, constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { RoleKind } from '../../src/gen/leasehold/v1/config.ts';
import { connectTo, type LeaseholdClient } from '../../test/support/leasehold.ts';
import { SERVER_NAME } from '../../test/support/security.ts';
import { type ConfigFields, directAccess, seconds } from '../../test/support/set-ups.ts';
import { forgeToken } from '../../test/support/token-issuer.ts';
import type { AttackCount, AttackName, AttackOrder } from './attacks.ts';

// An attacker in a thread of its own, until that is ended: the one who measures does not wait for it.

const order = workerData as AttackOrder;
const { address, serverCa, keys, config, access, namespace } = order;
const count: AttackCount = { answered: 0, refused: 0, reason: '' };

const REPORT_MS = 200;
const CALL_TIMEOUT_MS = 30_000;
const FORGERS = 600;
const FORGERS_CONNECTIONS = 4;
const CONNECTIONS = 12;
const STREAMS = 256;
const BODY = Buffer.alloc(250 * 1024);

const clientWith = (bearer: string): LeaseholdClient => connectTo(address, { bearer, serverCa });

/** A refusal is what the attacker is to get. */
async function counted(call: Promise<unknown>): Promise<void> {
  await call.then(
    () => count.answered++,
    (error: Error) => {
      count.refused++;
      count.reason = error.message;
    },
  );
}

/** So many callers, each of which waits so long between its calls. */
async function repeat(
  callers: number,
  pauseMs: number,
  call: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const caller = async () => {
    for (;;) {
      await counted(call(AbortSignal.timeout(CALL_TIMEOUT_MS)));
      await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

async function issue(callers: number, pauseMs: number): Promise<void> {
  const { leases } = clientWith(keys.attacker);
  await repeat(callers, pauseMs, (signal) => leases.issueLease({ config }, { signal }));
}

/** All but the first wait for that, whose calls hang. */
async function issueTheSame(): Promise<void> {
  const { leases } = clientWith(keys.attacker);
  for (;;) {
    const request = { config, requestId: randomUUID() };
    await Promise.all(Array.from({ length: 250 }, () => counted(leases.issueLease(request))));
  }
}

async function checkAtOnce(): Promise<void> {
  const { configs } = clientWith(keys.auditor);
  const check = () => counted(configs.checkConfig({ target: { $case: 'name', value: config } }));
  for (;;) {
    await Promise.all(Array.from({ length: 250 }, check));
    await sleep(REPORT_MS);
  }
}

async function createDrafts(): Promise<void> {
  const { configs } = clientWith(keys.writer);
  const { url, caPem, token } = access;
  for (let number = 0; ; number++) {
    const draft: ConfigFields = {
      name: `draft-${number}`,
      defaultTtl: seconds(3600),
      maxTtl: seconds(3600),
      access: directAccess({ url, caPem, serverName: 'nonsense.example' }, token),
      credential: {
        $case: 'dynamic',
        value: { allowedNamespaces: [namespace], role: { kind: RoleKind.ROLE_KIND_CLUSTER_ROLE, name: 'view' } },
      },
    };
    void counted(configs.createConfig({ config: draft }));
    await sleep(150);
  }
}

/** Each in the form of the cluster's own tokens, with a signature of nothing. */
async function showForgeries(): Promise<void> {
  let number = 0;
  const forge = () => {
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const sub = 'system:serviceaccount:callers:victim';
    const claims = { iss: order.issuer, aud: ['leasehold'], sub, exp, jti: `${number++}` };
    return forgeToken({ alg: 'RS256', kid: 'key' }, claims, () => Buffer.alloc(256, number));
  };
  const onConnection = () => {
    const { leases } = connectTo(address, { bearer: forge, serverCa });
    return repeat(FORGERS / FORGERS_CONNECTIONS, 0, (signal) => leases.listLeases({}, { signal }));
  };
  await Promise.all(Array.from({ length: FORGERS_CONNECTIONS }, onConnection));
}

/** Requests that are sent but for their last byte. */
async function sendBodies(): Promise<void> {
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    const session = connect(`https://${address}`, { ca: serverCa, servername: SERVER_NAME, maxSessionMemory: 1_000 });
    session.on('error', () => undefined);
    session.on('connect', () => {
      for (let number = 0; number < STREAMS; number++) {
        const stream = session.request({
          [constants.HTTP2_HEADER_METHOD]: 'POST',
          [constants.HTTP2_HEADER_PATH]: '/leasehold.v1.LeaseService/IssueLease',
          [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
          [constants.HTTP2_HEADER_TE]: 'trailers',
        });
        stream.on('error', () => undefined);
        stream.on('close', () => count.refused++);
        const head = Buffer.alloc(5);
        head.writeUInt32BE(BODY.length + 1, 1);
        stream.write(head);
        stream.write(BODY);
      }
    });
  }
}

const WAYS: Record<AttackName, () => Promise<void>> = {
  checks: checkAtOnce,
  drafts: createDrafts,
  rest: () => issue(1, 200),
  timeouts: () => issue(16, 200),
  waits: issueTheSame,
  issues: () => issue(64, 0),
  forgeries: showForgeries,
  bodies: sendBodies,
};

setInterval(() => parentPort?.postMessage(count), REPORT_MS);
await WAYS[order.name]();
