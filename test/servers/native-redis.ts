import { join } from 'node:path';
import type { Progress } from './progress.ts';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import { startRedisProcess, startRedisProcessAt } from './redis-process.ts';
import type { RedisServer } from './redis-server.ts';
import { makeTempFolder } from './temp-folder.ts';

/** A Redis that can be killed, stopped and started again on its data. */
export interface NativeRedis extends RedisServer {
  readonly pid: number;
  /** Where its append-only file is. */
  folder: string;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again at the same address, on the data that are there. */
  start(): Promise<void>;
}

/** Starts this redis-server with its files in a temp folder. `args` come after those that make it durable. */
export async function startNativeRedis(
  binary: string,
  progress: Progress,
  args: readonly string[] = [],
): Promise<NativeRedis> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('redis');
  started.defer(() => folder.remove());
  const spec = {
    binary,
    folder: folder.path,
    args: (port: number, dir: string) => [
      ...['--bind', '127.0.0.1', '--port', `${port}`, '--dir', dir],
      ...DURABLE_REDIS_ARGS,
      ...args,
    ],
  };
  let redis = await startRedisProcess(spec);
  started.defer(() => redis.stop());
  const url = `redis://127.0.0.1:${redis.port}`;
  progress(`Redis serves at ${url} (process ${redis.pid})`);
  const running = started.move();
  return {
    url,
    get pid() {
      return redis.pid;
    },
    folder: join(folder.path, `${redis.port}`),
    signal: (signal) => process.kill(redis.pid, signal),
    kill() {
      process.kill(redis.pid, 'SIGKILL');
      return redis.stop();
    },
    async start() {
      redis = await startRedisProcessAt(redis.port, spec);
    },
    stop: () => running.disposeAsync(),
  };
}
