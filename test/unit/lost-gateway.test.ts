import net from 'node:net';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { GatewayLost } from '../../src/shared/domain/cluster-error.ts';
import type { Access } from '../../src/shared/domain/config.ts';
import { Secret } from '../../src/shared/domain/secret.ts';
import { KubernetesClusters } from '../../src/shared/kubernetes/kubernetes-clusters.ts';
import type { GatewayDialer } from '../../src/shared/ports/gateway-dialer.ts';
import { join } from '../../src/shared/tunnel/join.ts';
import { startAnsweringServer } from '../support/answering-server.ts';
import { ANY_USE } from '../support/cluster-use.ts';
import { testEgress } from '../support/egress.ts';
import { keepLog } from '../support/keep-log.ts';
import { PATIENCE_MS, PATIENT_LIMITS } from '../support/patience.ts';
import { tunnelOf } from '../support/tunnel.ts';

// A gateway's stream that is lost while calls wait for their answers.

const GATEWAY = { name: 'private', uid: 'uid' };
const LIMITS = { connections: 8, ...PATIENT_LIMITS };

/** More failures in a row than open a breaker, and no more than one principal's calls may go at the same time. */
const AT_ONCE = 5;
const ACCOUNT = { namespace: 'team', name: 'reader' };

let asked = 0;
beforeEach(() => {
  asked = 0;
});
const silent = await startAnsweringServer(() => {
  asked += 1;
});
afterAll(() => silent.stop());

/** A stream to an agent whose API server never answers. */
function openStream() {
  const { opener } = tunnelOf({
    accept: async ({ target }) =>
      target.kind === 'address'
        ? (channel) => join(channel, net.connect(Number(new URL(silent.url).port), '127.0.0.1'))
        : (channel) =>
            channel.once('data', () => {
              asked += 1;
            }),
  });
  const dialer: GatewayDialer = {
    dial: (_gateway, target, timeoutMs) =>
      opener.open(target === 'api-server' ? { kind: target } : { kind: 'address', ...target }, { timeoutMs }),
  };
  return { opener, dialer };
}

const tls = { caPem: silent.caPem, insecureSkipVerify: false, serverName: undefined };
const gateway: Access = { kind: 'gateway', id: 'gateway', configUid: 'config', gateway: GATEWAY };
const path: Access = {
  kind: 'direct',
  renewToken: false,
  id: 'path',
  configUid: 'config',
  url: silent.url,
  tls,
  token: new Secret('token'),
  gateway: GATEWAY,
};

test.each([gateway, path])(
  'is told apart from a cluster that does not answer, which is called on: $id',
  async (access) => {
    const { opener, dialer } = openStream();
    const clusters = new KubernetesClusters(LIMITS, dialer, testEgress, keepLog().log);
    const calls = Array.from({ length: AT_ONCE }, () =>
      clusters
        .at(access, ANY_USE)
        .readServiceAccount(ACCOUNT)
        .catch((error: unknown) => error),
    );
    await vi.waitFor(() => expect(asked).toBe(AT_ONCE), { timeout: PATIENCE_MS });
    opener.close(new Error('the agent was killed'));

    const [first] = await Promise.all(calls);
    expect(first).toBeInstanceOf(GatewayLost);
    expect(first).toMatchObject({ effectUnknown: true, message: expect.stringContaining('"private"') });
    const later = await clusters
      .at(access, ANY_USE)
      .readServiceAccount(ACCOUNT)
      .catch((error: unknown) => error);
    expect(String(later)).not.toContain('is not called for now');
    await clusters.close();
  },
);
