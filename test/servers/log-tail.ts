import { readFile } from 'node:fs/promises';

const TAIL_LINES = 25;

/** The last lines of a log, for an error message. */
export async function logTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8');
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
