import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { KeySets } from '../../src/server/authentication/key-sets.ts';
import { createLogger } from '../../src/shared/telemetry/logger.ts';
import { makeTempFolder } from '../servers/temp-folder.ts';
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts';
import { testEgress } from '../support/egress.ts';

// Each key set looks for new keys again and again, until it is closed.

const folder = await makeTempFolder('key-sets');
let server: AnsweringServer;
let asked = 0;
beforeAll(async () => {
  server = await startAnsweringServer((_, response) => {
    asked++;
    response.end(JSON.stringify({ keys: [] }));
  });
  await writeFile(join(folder.path, 'ca.pem'), server.caPem);
});
afterAll(async () => {
  server.stop();
  await folder.remove();
});
beforeEach(() => {
  asked = 0;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const open = () => new KeySets(folder.path, createLogger('test', 'silent'), testEgress);
const published = () => ({ url: `${server.url}/keys`, caFile: 'ca.pem' });

test('what callers would have needed that are not taken is closed, also where it was still on its way', async () => {
  const taking = open().replace((keysOf) =>
    Promise.all([keysOf('https://a.test', published()), keysOf('https://b.test', { file: 'absent.json' })]),
  );
  await expect(taking).rejects.toThrow('absent.json');
  expect(vi.getTimerCount()).toBe(0);
});

test('clusters that share an issuer share its keys', async () => {
  await open().replace((keysOf) =>
    Promise.all([keysOf('https://a.test', published()), keysOf('https://a.test', published())]),
  );
  expect(asked).toBe(1);
  expect(vi.getTimerCount()).toBe(1);
});
