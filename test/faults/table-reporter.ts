import type { Reporter, TestModule } from 'vitest/node';
import type { Trial } from './report.ts';

interface Row {
  tries: number;
  orphans: number;
  overdue: number;
  lost: number;
}

/** Prints, at the end of a run, what each fault left behind. */
export default class TableReporter implements Reporter {
  readonly #begunAt = performance.now();

  onTestRunEnd(modules: readonly TestModule[]): void {
    const trials = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test) => test.meta().trials ?? []),
    );
    const rows = new Map<string, Row>();
    for (const trial of trials) {
      rows.set(trial.fault, sum(rows.get(trial.fault), trial));
    }
    const total = [...rows.values()].reduce((all, row) => sum(all, row), none());
    const width = Math.max(...[...rows.keys(), 'all'].map(({ length }) => length));
    const line = (name: string, cells: unknown[]) =>
      [name.padEnd(width), ...cells.map((cell) => String(cell).padStart(7))].join(' ');
    const lines = [
      line('fault', ['tried', 'orphans', 'overdue', 'lost']),
      ...[...rows].map(([fault, row]) => line(fault, cellsOf(row))),
      line('all', cellsOf(total)),
      `${total.tries} faults in ${Math.round((performance.now() - this.#begunAt) / 1000)} s`,
      ...trials.flatMap(({ fault, figures }) => (figures ? [`${fault}: ${describe(figures)}`] : [])),
    ];
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}

function describe(figures: Record<string, string | number>): string {
  return Object.entries(figures)
    .map(([what, value]) => `${what} ${value}`)
    .join(', ');
}

function none(): Row {
  return { tries: 0, orphans: 0, overdue: 0, lost: 0 };
}

function sum(before = none(), { tries = 1, orphans, overdue, lost }: Partial<Row> & Omit<Trial, 'fault'>): Row {
  return {
    tries: before.tries + tries,
    orphans: before.orphans + orphans,
    overdue: before.overdue + overdue,
    lost: before.lost + lost,
  };
}

function cellsOf({ tries, orphans, overdue, lost }: Row): number[] {
  return [tries, orphans, overdue, lost];
}
