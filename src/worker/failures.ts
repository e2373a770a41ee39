import type { Job } from 'bullmq';
import { withoutRepeats } from '../shared/telemetry/without-repeats.ts';
import type { Work } from './work.ts';

/** Tells of jobs that failed, once in a while where many fail in the same way. */
export function failures({ log }: Work, message: string): (job: Job | undefined, error: Error) => void {
  let last: unknown;
  const tell = withoutRepeats((error, repeats) => log.warn({ job: last, err: error, repeats }, message));
  return (job, error) => {
    last = job?.data;
    tell(error);
  };
}
