import { expect, test } from 'vitest';
import { Unavailable } from '../../src/shared/domain/errors.ts';
import { storeCall } from '../../src/shared/redis/store-call.ts';

function callThatFails(message: string): Promise<unknown> {
  return storeCall(() => Promise.reject(new Error(message)));
}

test.each([
  "READONLY You can't write against a read only replica.",
  "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.",
  'CLUSTERDOWN The cluster is down',
  'MOVED 16287 127.0.0.1:7001',
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  'Connection is closed.',
  'Command aborted due to connection close',
  "Cluster isn't ready and enableOfflineQueue options is false",
  'None of startup nodes is available',
  'Failed to refresh slots cache.',
  'Too many Cluster redirections. Last error: MOVED 1 127.0.0.1:7001',
  'All sentinels are unreachable. Retrying from scratch after 50ms.',
])('the store is away for a while: %s', async (message) => {
  await expect(callThatFails(message)).rejects.toThrow(Unavailable);
});

test.each([
  'WRONGTYPE Operation against a key holding the wrong kind of value',
  'ERR Error running script (call to f_1): @user_script:1: Script attempted to access nonexistent global variable',
  'NOPERM this user has no permissions to run the command',
])('a fault of ours or of the set-up stays what it is: %s', async (message) => {
  await expect(callThatFails(message)).rejects.toThrow(message);
  await expect(callThatFails(message)).rejects.not.toThrow(Unavailable);
});
