import type { Tally } from './fuzz-target.ts';
import type { Memory } from './fuzzed-site.ts';

/** One line of the table. */
export interface Line extends Tally {
  name: string;
  seconds: number;
  before: Memory;
  after: Memory;
}

/** What the run sent, what came back, and what it cost the server. */
export function tableOf(lines: readonly Line[]): string {
  const rows = [
    ['rpc', 'messages', 's', 'heap MiB', 'rss MiB', 'answers'],
    ...lines.map(({ name, messages, seconds, before, after, outcomes }) => [
      name,
      String(messages),
      seconds.toFixed(1),
      `${mebibytes(before.heapUsed)} -> ${mebibytes(after.heapUsed)}`,
      `${mebibytes(before.rss)} -> ${mebibytes(after.rss)}`,
      [...outcomes]
        .sort(([, one], [, other]) => other - one)
        .map(([outcome, count]) => `${outcome} ${count}`)
        .join(', '),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
