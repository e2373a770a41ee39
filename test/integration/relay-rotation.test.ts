import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeaseState } from '../../src/gen/leasehold/v1/lease.ts';
import { makeCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { issueBriefly } from '../support/in-time.ts';
import { linesOf } from '../support/secure-site.ts';
import { seconds } from '../support/set-ups.ts';
import {
  type GatewayBed,
  openGatewayBed,
  setUpBehindGateway,
  untilLeaseIs,
} from '../support/transports/gateway-bed.ts';
import { addAgent } from '../support/transports/open-gateway.ts';

// The certificate of a relay, and the CA by which server and worker trust it, are replaced while an agent is attached.

let bed: GatewayBed;
beforeAll(async () => {
  bed = await openGatewayBed();
});
afterAll(() => bed[Symbol.asyncDispose]());

/** Waits until so many processes have read their files again. */
async function untilReloaded(what: string, processes: number): Promise<void> {
  await eventually(async () =>
    expect(linesOf(bed.installation.logs).filter((line) => line.msg === 'reloaded' && line.what === what)).toHaveLength(
      processes,
    ),
  );
}

test('agents that are attached stay, new ones see the new certificate, and the worker trusts it', async () => {
  const { installation, client } = bed;
  const { requester, config } = await setUpBehindGateway(bed, 'rotating');
  const { lease: before } = await client.leases.issueLease({ config: config.name, ttl: seconds(60) });

  const ca = await makeCa();
  const { cert, key } = await ca.issue(['localhost']);
  const { LEASEHOLD_RELAY_CA = '', LEASEHOLD_RELAY_CERT = '', LEASEHOLD_RELAY_KEY = '' } = installation.environment;
  await writeFile(LEASEHOLD_RELAY_CA, `${await readFile(LEASEHOLD_RELAY_CA, 'utf8')}\n${ca.caPem}`);
  await untilReloaded('the CAs of relays', 2);
  await writeFile(LEASEHOLD_RELAY_CERT, cert);
  await writeFile(LEASEHOLD_RELAY_KEY, key);
  await untilReloaded('the certificate of the relay', 1);

  await client.leases.revokeLease({ id: before?.id ?? '' });
  await addAgent(installation, client, { token: requester.token, serverCaPem: ca.caPem }, config.name);
  const { agents } = await client.gateways.getGateway({ name: config.name });
  expect(agents).toHaveLength(2);
  // The worker has not connected to the relay before: it verifies the new certificate.
  const { lease } = await issueBriefly(client, config.name);
  await untilLeaseIs(client, lease?.id ?? '', LeaseState.LEASE_STATE_EXPIRED);
});
