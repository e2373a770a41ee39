import { Queue } from 'bullmq';
import { Keys } from '../../src/shared/redis/keys.ts';

/** Deletes every job of a queue, whatever its state, and all that the queue knows of them. */
export async function loseJobs(redisUrl: string, installation: string, queueName: string): Promise<void> {
  const queue = new Queue(queueName, { connection: { url: redisUrl }, prefix: new Keys(installation).queuePrefix });
  await queue.obliterate({ force: true });
  await queue.close();
}
