import { median, rateOf } from './measure.ts';
import { clear, type Stage, setTheStage } from './stage.ts';
import { type WayName, waysToIssue } from './ways.ts';

// npm run bench: issuing through Leasehold beside the limit and the peers' pattern, in one run. Its last line is one
// JSON object. It reports; it does not judge with its exit code.

const ROUNDS = 9;
const WAYS: readonly WayName[] = ['raw', 'peers', 'leasehold'];
/** Leases in a block: enough for some seconds, because an API server falls to half its speed for a moment now and then. */
const COUNTS: Record<WayName, Record<number, number>> = {
  raw: { 1: 200, 16: 1200 },
  peers: { 1: 60, 16: 400 },
  leasehold: { 1: 200, 16: 1200 },
};
const WARM_UP: Record<WayName, number> = { raw: 1000, peers: 200, leasehold: 3000 };
const TARGETS = { raw: 0.7, peers: 3 };
const TARGET_CALLERS = 16;

type Round = Record<WayName, number>;

const progress = (line: string) => console.error(line);
await using stage = await setTheStage(progress);
const ways = waysToIssue(stage);
progress('warming up: a server runs for days, its first thousand calls are slower');
for (const name of WAYS) {
  await rateOf(ways[name], 16, WARM_UP[name]);
  await clear(stage);
}
const results: Record<number, Round[]> = { 1: [], 16: [] };
for (let round = 1; round <= ROUNDS; round++) {
  for (const [callers, rounds] of Object.entries(results)) {
    const rates = await playRound(stage, Number(callers), round);
    rounds.push(rates);
    progress(`round ${round} of ${ROUNDS}, ${callers} callers: ${describe(rates)}`);
  }
}
const rows = Object.entries(results).map(([callers, rounds]) => ({
  callers: Number(callers),
  ...Object.fromEntries(WAYS.map((way) => [`${way}, leases/s`, Math.round(median(rounds.map((rates) => rates[way])))])),
  'leasehold / raw': ratio(rounds, 'raw'),
  'leasehold / peers': ratio(rounds, 'peers'),
}));
console.table(rows);
const reached = rows.find(({ callers }) => callers === TARGET_CALLERS);
for (const yardstick of ['raw', 'peers'] as const) {
  const value = reached?.[`leasehold / ${yardstick}`] ?? 0;
  const verdict = value >= TARGETS[yardstick] ? 'reached' : 'not reached';
  console.log(
    `at ${TARGET_CALLERS} callers, ${value} of ${yardstick}; the target is ${TARGETS[yardstick]}: ${verdict}`,
  );
}
await stage[Symbol.asyncDispose]();
console.log(JSON.stringify({ bench: 'issuing', rows }));
process.exit(0);

/** Measures every way once; another goes first in each round, so that a drift of the machine favours none. */
async function playRound(stage: Stage, callers: number, round: number): Promise<Round> {
  const rates: Round = { raw: 0, peers: 0, leasehold: 0 };
  for (const index of WAYS.keys()) {
    const name = WAYS[(index + round) % WAYS.length] ?? 'raw';
    rates[name] = await rateOf(ways[name], callers, COUNTS[name][callers] ?? 100);
    await clear(stage);
  }
  return rates;
}

/** Round by round, because the machine's speed drifts between rounds. */
function ratio(rounds: readonly Round[], yardstick: 'raw' | 'peers'): number {
  return Number(median(rounds.map((rates) => rates.leasehold / rates[yardstick])).toFixed(2));
}

function describe(rates: Round): string {
  return WAYS.map((way) => `${way} ${Math.round(rates[way])}/s`).join(', ');
}
