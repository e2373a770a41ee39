import { randomUUID } from 'node:crypto';
import { Worker } from 'bullmq';
import { expect, inject, onTestFinished, test } from 'vitest';
import { BullmqAlarm } from '../../src/shared/queue/bullmq-alarm.ts';
import { EXPIRY_QUEUE } from '../../src/shared/queue/queues.ts';
import { RedisConnections } from '../../src/shared/redis/connect-redis.ts';
import { Keys } from '../../src/shared/redis/keys.ts';
import { RedisUrl } from '../../src/shared/redis/redis-url.ts';
import { PATIENT_REDIS_MS } from '../support/patience.ts';

test('an alarm can be moved while it rings, and waits, and rings again', async () => {
  const connections = new RedisConnections(RedisUrl.parse(inject('redisUrl')), PATIENT_REDIS_MS, (error) => {
    throw error;
  });
  const prefix = new Keys(`race-${randomUUID().slice(0, 8)}`).queuePrefix;
  const alarm = new BullmqAlarm({ connection: await connections.open('queue'), prefix }, Date.now, (error) => {
    throw error;
  });
  let rung = 0;
  const worker = new Worker(
    EXPIRY_QUEUE,
    async () => {
      rung++;
      throw new Error('it is to ring again');
    },
    { connection: await connections.open('jobs'), prefix, settings: { backoffStrategy: () => 1 } },
  );
  onTestFinished(async () => {
    await worker.close();
    await alarm.close();
    connections.closeAll();
  });

  const leaseId = randomUUID();
  await alarm.set([{ leaseId, at: Date.now() }]);
  for (let moves = 0; moves < 2_000; moves++) {
    await alarm.move({ leaseId, at: Date.now() });
  }
  expect(rung).toBeGreaterThan(100);
});
