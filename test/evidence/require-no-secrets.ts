import { dumpRedisKeys } from '../support/dump-redis.ts';
import { keepEvidence } from './evidence-folder.ts';
import { type Leak, type ScanResult, scanEvidence } from './scan-evidence.ts';

const SHOWN = 10;

/** Keeps what a Redis that is about to stop holds. Returns how many keys that were. */
export async function keepDump(redisUrl: string): Promise<number> {
  const { keys, text } = await dumpRedisKeys(redisUrl);
  keepEvidence('redis', text);
  return keys;
}

/** Scans what a test run has kept, says what it was, and throws where it shows a secret. */
export async function requireNoSecrets(folder: string, keys: number, progress: (line: string) => void): Promise<void> {
  const started = Date.now();
  const result = await scanEvidence(folder);
  progress(summaryOf(result, keys, Date.now() - started));
  if (result.leaks.length > 0) {
    throw new Error(
      `secrets were written down, after the text shown:\n${result.leaks.slice(0, SHOWN).map(described).join('\n')}`,
    );
  }
}

function summaryOf({ bytes, spans, auditEvents, knownSecrets, leaks }: ScanResult, keys: number, ms: number): string {
  const searched = [
    `${megabytes(bytes.redis)} of Redis (${keys} keys at the end, and all that was ever appended)`,
    `${megabytes(bytes.logs)} of logs with ${auditEvents} audit events`,
    `${spans} spans`,
  ];
  return `secret scan: ${searched.join(', ')}, for ${knownSecrets} known secrets and by pattern: ${leaks.length} found (${(ms / 1000).toFixed(1)} s)`;
}

function described({ place, what, before }: Leak): string {
  return `  ${place}: ${what} after ${JSON.stringify(before)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
