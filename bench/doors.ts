import { credentials } from '@grpc/grpc-js';
import { makeCa } from '../test/support/certificates.ts';
import { connectOver, connectTo, type LeaseholdClient } from '../test/support/leasehold.ts';
import { spawnLeasehold } from '../test/support/leasehold-process.ts';
import { makeSecureSite } from '../test/support/secure-site.ts';
import { ADMIN_KEY, callersYaml } from '../test/support/security.ts';
import { makeTokenIssuer } from '../test/support/token-issuer.ts';
import { inTurn, median, rateOf } from './measure.ts';
import { CONFIG, clear, type Stage } from './stage.ts';
import type { Way } from './ways.ts';

// What TLS, authentication and policies cost: the same calls to a server whose doors stand open, and to one as it ships.

const ROUNDS = 7;
const CALLERS = 16;
const CALLER = 'spiffe://bench.example/caller';
const ISSUER = 'https://issuer.bench';
const COUNTS = { IssueLease: 800, GetLease: 6000 };
const WARM_UP = { IssueLease: 1500, GetLease: 8000 };

type Rpc = keyof typeof COUNTS;
const RPCS: readonly Rpc[] = ['IssueLease', 'GetLease'];

const DOORS = ['open', 'API key', 'client certificate', 'JWT (ES256)'] as const;
type Door = (typeof DOORS)[number];
type Round = Record<Door, number>;

/** Measures both calls through each door in turn, and returns the rows of the table. */
export async function benchDoors(stage: Stage, progress: (line: string) => void) {
  await using running = new AsyncDisposableStack();
  const clients = await openClients(stage, running);
  const rows = [];
  for (const rpc of RPCS) {
    const ways = await waysThrough(clients, rpc);
    progress(`doors, ${rpc}: warming up`);
    for (const door of DOORS) {
      await rateOf(ways[door], CALLERS, WARM_UP[rpc]);
      await clear(stage);
    }
    const rounds: Round[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      rounds.push(await playRound(stage, ways, rpc, round));
      progress(`doors, ${rpc}, round ${round} of ${ROUNDS}`);
    }
    rows.push(row(rpc, rounds));
  }
  console.table(rows);
  return rows;
}

/** Two servers of the installation on the stage, and a client for each way into them. */
async function openClients(stage: Stage, running: AsyncDisposableStack): Promise<Record<Door, LeaseholdClient>> {
  const [serverCa, clientCa, issuer] = [await makeCa(), await makeCa(), makeTokenIssuer(ISSUER)];
  const callers = callersYaml({
    certificates: { trustDomains: ['bench.example'] },
    jwt: [{ issuer: ISSUER, audiences: ['leasehold'], jwks: { file: 'jwks.json' } }],
    groups: { admins: [CALLER, `jwt:${ISSUER}#alice`] },
  });
  const site = await makeSecureSite(await serverCa.issue(), clientCa.caPem, callers);
  running.defer(() => site.remove());
  await site.write('jwks.json', JSON.stringify(issuer.jwks));
  const serve = async (entry?: URL) => {
    const environment = { ...stage.environment, ...site.environment };
    const server = spawnLeasehold('server', environment, entry ? { entry } : {});
    running.defer(async () => void (await server.stop()));
    const { address = '' } = await server.logged('serving');
    server.ignoreLogs();
    return address;
  };
  const open = await serve(new URL('open-server.ts', import.meta.url));
  const shut = await serve();
  const trust = { serverCa: serverCa.caPem };
  const certificate = await clientCa.issueClient({ uris: [CALLER] });
  const bearer = await issuer.token({ claims: { exp: Math.floor(Date.now() / 1000) + 3600 } });
  const clients = {
    open: connectOver(open, { credentials: credentials.createInsecure(), options: {} }),
    'API key': connectTo(shut, { ...trust, bearer: ADMIN_KEY.reveal() }),
    'client certificate': connectTo(shut, { ...trust, certificate }),
    'JWT (ES256)': connectTo(shut, { ...trust, bearer }),
  };
  running.defer(async () => Object.values(clients).forEach((client) => void client.close()));
  return clients;
}

async function waysThrough(clients: Record<Door, LeaseholdClient>, rpc: Rpc): Promise<Record<Door, Way>> {
  const { lease } = await clients.open.leases.issueLease({ config: CONFIG });
  const wayOf = ({ leases }: LeaseholdClient): Way =>
    rpc === 'IssueLease'
      ? async () => void (await leases.issueLease({ config: CONFIG }))
      : async () => void (await leases.getLease({ id: lease?.id ?? '' }));
  return {
    open: wayOf(clients.open),
    'API key': wayOf(clients['API key']),
    'client certificate': wayOf(clients['client certificate']),
    'JWT (ES256)': wayOf(clients['JWT (ES256)']),
  };
}

async function playRound(stage: Stage, ways: Record<Door, Way>, rpc: Rpc, round: number): Promise<Round> {
  const rates: Round = { open: 0, 'API key': 0, 'client certificate': 0, 'JWT (ES256)': 0 };
  for (const door of inTurn(DOORS, round)) {
    rates[door] = await rateOf(ways[door], CALLERS, COUNTS[rpc]);
    await clear(stage);
  }
  return rates;
}

/** Of each door the share of the open one's rate, round by round, because the machine's speed drifts between rounds. */
function row(rpc: Rpc, rounds: readonly Round[]) {
  const shares = DOORS.slice(1).map((door) => [
    `${door} / open`,
    Number(median(rounds.map((rates) => rates[door] / rates.open)).toFixed(2)),
  ]);
  return {
    rpc,
    'open, calls/s': Math.round(median(rounds.map(({ open }) => open))),
    ...Object.fromEntries(shares),
  };
}
