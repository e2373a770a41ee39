import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { keepAppendOnlyFiles } from '../evidence/append-only-files.ts';
import { freePort, retryWhilePortTaken } from './free-port.ts';
import { type ManagedProcess, startServer } from './managed-process.ts';

const READY_WITHIN_MS = 120_000;
const ANSWERS_WITHIN_MS = 2_000;

export interface RedisProcess extends ManagedProcess {
  readonly port: number;
}

export interface RedisSpec {
  binary: string;
  /** Its files go into a folder of its own there, named by its port. */
  folder: string;
  args(port: number, ownFolder: string): readonly string[] | Promise<readonly string[]>;
}

/** Starts a redis-server on a free loopback port. */
export function startRedisProcess(spec: RedisSpec): Promise<RedisProcess> {
  return retryWhilePortTaken(async () => startRedisProcessAt(await freePort(), spec));
}

/** The same at a given port: what an earlier one left in its folder, it goes on with. */
export async function startRedisProcessAt(port: number, { binary, folder, args }: RedisSpec): Promise<RedisProcess> {
  const ownFolder = join(folder, `${port}`);
  await mkdir(ownFolder, { recursive: true });
  const redis = await startServer({
    name: 'redis-server',
    command: binary,
    args: await args(port, ownFolder),
    logFile: join(ownFolder, 'redis.log'),
    readyWithinMs: READY_WITHIN_MS,
    isReady: (pid) => isServedBy(pid, port),
  });
  return {
    ...redis,
    port,
    async stop() {
      await redis.stop();
      await keepAppendOnlyFiles(ownFolder);
    },
  };
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
