import { inTurn, median, rateOf } from './measure.ts';
import { clear, type Stage } from './stage.ts';
import { type Way, type WayName, waysToIssue } from './ways.ts';

// Issuing through Leasehold beside the limit and the peers' pattern.

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
type Ways = Record<WayName, Way>;

/** Measures all ways in turn, with one and with 16 callers; prints the verdicts and returns the rows of the table. */
export async function benchIssuing(stage: Stage, progress: (line: string) => void) {
  const ways = waysToIssue(stage);
  progress('warming up: a server runs for days, its first thousand calls are slower');
  for (const name of WAYS) {
    await rateOf(ways[name], TARGET_CALLERS, WARM_UP[name]);
    await clear(stage);
  }
  const results: Record<number, Round[]> = { 1: [], [TARGET_CALLERS]: [] };
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [callers, rounds] of Object.entries(results)) {
      const rates = await playRound(stage, ways, Number(callers), round);
      rounds.push(rates);
      progress(`round ${round} of ${ROUNDS}, ${callers} callers: ${describe(rates)}`);
    }
  }
  const rows = Object.entries(results).map(([callers, rounds]) => row(Number(callers), rounds));
  console.table(rows);
  for (const yardstick of ['raw', 'peers'] as const) {
    const value = rows.at(-1)?.[`leasehold / ${yardstick}`] ?? 0;
    const verdict = value >= TARGETS[yardstick] ? 'reached' : 'not reached';
    console.log(
      `issuing at ${TARGET_CALLERS} callers: ${value} of ${yardstick}; the target is ${TARGETS[yardstick]}: ${verdict}`,
    );
  }
  return rows;
}

function row(callers: number, rounds: readonly Round[]) {
  return {
    callers,
    ...Object.fromEntries(
      WAYS.map((way) => [`${way}, leases/s`, Math.round(median(rounds.map((rates) => rates[way])))]),
    ),
    'leasehold / raw': ratio(rounds, 'raw'),
    'leasehold / peers': ratio(rounds, 'peers'),
  };
}

/** Measures every way once. */
async function playRound(stage: Stage, ways: Ways, callers: number, round: number): Promise<Round> {
  const rates: Round = { raw: 0, peers: 0, leasehold: 0 };
  for (const name of inTurn(WAYS, round)) {
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
