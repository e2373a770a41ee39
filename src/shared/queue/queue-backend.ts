import { setTimeout as sleep } from 'node:timers/promises';
import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq';
import type { WriteGate } from '../redis/write-gate.ts';

/** After an error BullMQ asks again at once. It is held up for so long, and longer where errors follow each other. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Where the scripts of BullMQ 6.7 take the time of day, which it reads from the clock of its process: the index among their
 * keys and arguments. Those that are not here take none, or only write it down for people.
 */
const TIME_ARGUMENT: Readonly<Record<string, number>> = {
  moveToActive: 12,
  moveToFinished: 15,
  moveToDelayed: 12,
  changeDelay: 5,
  retryJob: 12,
  addJobScheduler: 17,
  updateJobScheduler: 16,
};

export interface QueueBackendOptions {
  /** How far the clock of this process is ahead of the one by which jobs are due. */
  ownAheadMs(): number;
  gate: WriteGate;
  /** Hears of errors that BullMQ would not survive. */
  onError(error: Error): void;
}

/**
 * BullMQ's way to Redis, with two things put right. Jobs are due by the time of Redis and not by each process's own clock:
 * each time that goes to Redis is turned into that, and back. And a worker does not ask again and again a Redis that
 * refuses: it waits at the gate where writes are refused, and makes a pause after any other error.
 */
export function queueBackend(options: QueueBackendOptions): BackendFactory<RedisQueueBackend> {
  return (...args) => patient(inRedisTime(createRedisBackend(...args), options.ownAheadMs), options);
}

function inRedisTime(backend: RedisQueueBackend, ownAheadMs: () => number): RedisQueueBackend {
  const { execCommand, moveToActive, moveToFinished, moveToDelayed, waitForJob } = backend;
  const toOwn = (time: number) => (time > 0 ? time + ownAheadMs() : time);
  /** A job, its id, the rest of a rate limit, and when the next delayed one is due. */
  const nextInOwn = ([job, id, limit, due]: unknown[]): unknown[] => [
    // By it BullMQ reckons when the lock of the job must be renewed.
    hasBegun(job) ? { ...job, processedOn: toOwn(job.processedOn) } : job,
    id,
    limit,
    typeof due === 'number' ? toOwn(due) : due,
  ];

  backend.execCommand = (client, command, args: unknown[]) => {
    const index = TIME_ARGUMENT[command];
    const translated =
      index === undefined ? args : args.with(index, String(Math.round(Number(args[index]) - ownAheadMs())));
    return execCommand.call(backend, client, command, translated);
  };
  backend.moveToActive = async (...args) => nextInOwn(await moveToActive.apply(backend, args));
  backend.moveToFinished = async (...args) => {
    const next = await moveToFinished.apply(backend, args);
    return next && nextInOwn(next);
  };
  backend.moveToDelayed = async (...args) => {
    const next = await moveToDelayed.apply(backend, args);
    return next && nextInOwn(next);
  };
  backend.waitForJob = async (timeout) => {
    const marker = await waitForJob.call(backend, timeout);
    return marker && { ...marker, score: toOwn(marker.score) };
  };
  return backend;
}

function hasBegun(job: unknown): job is { processedOn: number } {
  return typeof job === 'object' && job !== null && 'processedOn' in job && typeof job.processedOn === 'number';
}

function patient(backend: RedisQueueBackend, { gate, onError }: QueueBackendOptions): RedisQueueBackend {
  const { moveToActive, moveStalledJobsToWait, waitForJob } = backend;
  let failures = 0;

  /** BullMQ looks for jobs one call after the other, so that what holds one up holds up the loop. */
  async function paced<T>(call: () => Promise<T>): Promise<T> {
    try {
      const result = await call();
      failures = 0;
      return result;
    } catch (error) {
      gate.heard(error);
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures++, 10), LONGEST_PAUSE_MS);
      await sleep(pauseMs, undefined, { ref: false });
      throw error;
    }
  }

  backend.moveToActive = (...args) =>
    paced(async () => {
      await gate.pass();
      return moveToActive.apply(backend, args);
    });
  // What was to be waited for may be due by the time that the gate opens.
  backend.waitForJob = (timeout) =>
    paced(async () => ((await gate.pass()) ? null : await waitForJob.call(backend, timeout)));
  // An error would end BullMQ's looking for stalled jobs for good, and they would never be taken over.
  backend.moveStalledJobsToWait = async () => {
    try {
      await gate.pass();
      return await moveStalledJobsToWait.call(backend);
    } catch (error) {
      if (!gate.heard(error)) {
        onError(error as Error);
      }
      return [];
    }
  };
  return backend;
}
