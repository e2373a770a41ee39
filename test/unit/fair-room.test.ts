import { expect, test } from 'vitest';
import { FairRoom } from '../../src/server/limits/fair-room.ts';
import { sourceNetwork } from '../../src/server/limits/source-network.ts';

/** A room whose members are named; `enter` returns what leaves it, `gone` those that were evicted, in order. */
function roomOf(size: ConstructorParameters<typeof FairRoom>[0]) {
  const room = new FairRoom(size);
  const gone: string[] = [];
  return { gone, enter: (group: string, name: string) => room.enter(group, () => void gone.push(name)) };
}

test('the oldest of a group that is too large gives way to its newcomer', () => {
  const { enter, gone } = roomOf({ max: 10, maxPerGroup: 2 });
  enter('a', 'a1');
  enter('b', 'b1');
  enter('a', 'a2');
  enter('a', 'a3');
  expect(gone).toEqual(['a1']);
});

test('in a full room the largest group gives way, whoever comes', () => {
  const { enter, gone } = roomOf({ max: 4, maxPerGroup: 3 });
  enter('quiet', 'q1');
  enter('loud', 'l1');
  enter('loud', 'l2');
  enter('loud', 'l3');
  enter('new', 'n1');
  enter('other', 'o1');
  expect(gone).toEqual(['l1', 'l2']);
});

test('a flood from many groups evicts the oldest of all, and no newcomer', () => {
  const { enter, gone } = roomOf({ max: 3, maxPerGroup: 3 });
  for (let i = 1; i <= 6; i++) {
    enter(`group ${i}`, `m${i}`);
  }
  expect(gone).toEqual(['m1', 'm2', 'm3']);
});

test('who has left makes room, and leaving twice counts once', () => {
  const { enter, gone } = roomOf({ max: 2, maxPerGroup: 2 });
  const leave = enter('a', 'a1');
  enter('a', 'a2');
  leave();
  leave();
  enter('a', 'a3');
  expect(gone).toEqual([]);
  enter('a', 'a4');
  expect(gone).toEqual(['a2']);
});

test('a burst passes within the time of grace', () => {
  const { enter, gone } = roomOf({ max: 2, maxPerGroup: 2, graceMs: 60_000 });
  const leaves = ['a1', 'a2', 'a3', 'a4'].map((name) => enter('a', name));
  expect(gone).toEqual([]);
  leaves.forEach((leave) => void leave());
  enter('a', 'a5');
  expect(gone).toEqual([]);
});

test.each([
  ['one group', () => 'loud', 8],
  ['many groups', (index: number) => `group ${index}`, 16],
])('within the time of grace a burst of %s has four times the room, and no more', (_name, groupOf, held) => {
  const { enter, gone } = roomOf({ max: 4, maxPerGroup: 2, graceMs: 60_000 });
  for (let index = 0; index < 100; index++) {
    enter(groupOf(index), `${index}`);
  }
  expect(100 - gone.length).toBe(held);
  expect(gone[0]).toBe('0');
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['::1', '::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['no address', 'unknown'],
  [undefined, 'unknown'],
])('%s counts for %s', (address, network) => {
  expect(sourceNetwork(address)).toBe(network);
});
