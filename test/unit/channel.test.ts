import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { closing, openChannel, readAll } from '../support/tunnel.ts';

test('bytes arrive whole and in order, both ways', async () => {
  const { near, far } = await openChannel();
  const [there, back] = [randomBytes(1_000_000), randomBytes(700_001)];
  near.end(there);
  far.end(back);
  const [atFar, atNear] = await Promise.all([readAll(far), readAll(near)]);
  expect(atFar.equals(there)).toBe(true);
  expect(atNear.equals(back)).toBe(true);
});

test('the other direction goes on when one has ended', async () => {
  const { near, far, tunnel } = await openChannel();
  near.end('question');
  expect((await readAll(far)).toString()).toBe('question');
  far.end('answer');
  expect((await readAll(near)).toString()).toBe('answer');
  expect(tunnel.opener.channels).toBe(0);
  expect(tunnel.accepter.channels).toBe(0);
});

test('destroying one side closes the other at once, with why', async () => {
  const { near, far } = await openChannel();
  const broken = closing(far);
  near.destroy(new Error('nobody wants it any more'));
  expect(await broken).toMatchObject({
    code: 'ECONNRESET',
    message: expect.stringContaining('nobody wants it any more'),
  });
});
