import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, retryWhilePortTaken } from './free-port.ts';
import { type ManagedProcess, startServer } from './managed-process.ts';
import type { Progress } from './progress.ts';
import { DURABLE_REDIS_ARGS } from './redis-args.ts';
import type { RedisServer } from './redis-server.ts';
import { makeTempFolder } from './temp-folder.ts';

const READY_WITHIN_MS = 30_000;
const ANSWERS_WITHIN_MS = 2_000;

/** A Redis that can be killed, stopped and started again on its data. */
export interface NativeRedis extends RedisServer {
  /** Where its append-only file is. */
  folder: string;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again at the same address, on the data that are there. */
  start(): Promise<void>;
}

/** Starts this redis-server with its files in a temp folder. */
export async function startNativeRedis(binary: string, progress: Progress): Promise<NativeRedis> {
  await using started = new AsyncDisposableStack();
  const folder = await makeTempFolder('redis');
  started.defer(() => folder.remove());
  const { port, ...first } = await retryWhilePortTaken(async () => {
    const port = await freePort();
    return { port, ...(await startAt(port, binary, folder.path)) };
  });
  let redis: ManagedProcess = first;
  started.defer(() => redis.stop());
  const url = `redis://127.0.0.1:${port}`;
  progress(`Redis serves at ${url} (process ${redis.pid})`);
  const running = started.move();
  return {
    url,
    folder: folder.path,
    signal: (signal) => process.kill(redis.pid, signal),
    kill() {
      process.kill(redis.pid, 'SIGKILL');
      return redis.stop();
    },
    async start() {
      redis = await startAt(port, binary, folder.path);
    },
    stop: () => running.disposeAsync(),
  };
}

function startAt(port: number, binary: string, folder: string): Promise<ManagedProcess> {
  return startServer({
    name: 'redis-server',
    command: binary,
    args: ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, ...DURABLE_REDIS_ARGS],
    logFile: join(folder, 'redis.log'),
    readyWithinMs: READY_WITHIN_MS,
    isReady: (pid) => isServedBy(pid, port),
  });
}

/** A PING could be answered by somebody else's Redis on that port; its process id tells them apart. */
async function isServedBy(pid: number, port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').setTimeout(ANSWERS_WITHIN_MS);
  socket.on('timeout', () => socket.destroy(new Error(`no answer from Redis within ${ANSWERS_WITHIN_MS} ms`)));
  try {
    await once(socket, 'connect');
    socket.end('INFO server\r\n');
    const chunks = await socket.toArray();
    return new RegExp(`^process_id:${pid}\\r$`, 'm').test(Buffer.concat(chunks).toString('utf8'));
  } finally {
    socket.destroy();
  }
}
