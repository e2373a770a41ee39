import type { Random } from './random.ts';

type Mutation = (message: Buffer, random: Random) => Buffer;

const LENGTH_DELIMITED = 2;

/** Longer than any varint may be, and as long as one may be. */
const HUGE_VARINTS = [
  Buffer.alloc(11, 0xff),
  Buffer.from('ffffffffffffffffff01', 'hex'),
  Buffer.from('ffffffff0f', 'hex'),
] as const;

/** Bytes that no UTF-8 has: half a character, a surrogate, an overlong one, one past the last. */
const NO_UTF8 = ['c3', 'eda080', 'c080', 'f4908080', 'ff'].map((hex) => Buffer.from(hex, 'hex')) as [
  Buffer,
  ...Buffer[],
];

/** A field that begins a group, again and again. */
const DEEP_GROUPS = Buffer.alloc(20_000, 0x0b);

/** Messages in messages, for the first fields that a message may have. */
const DEEP_MESSAGES = [1, 2, 7].map((field) => nested(field, 400)) as [Buffer, ...Buffer[]];

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  function flipBits(message, random) {
    const flipped = Buffer.from(message);
    for (let flips = random.below(8); flips >= 0 && message.length > 0; flips--) {
      const at = random.below(message.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
    }
    return flipped;
  },
  function truncate(message, random) {
    return message.subarray(0, random.below(message.length + 1));
  },
  function cutOut(message, random) {
    const [from, to] = range(message, random);
    return Buffer.concat([message.subarray(0, from), message.subarray(to)]);
  },
  function repeatPart(message, random) {
    const [from, to] = range(message, random);
    const part = message.subarray(from, to);
    return Buffer.concat([
      message.subarray(0, to),
      ...Array<Buffer>(random.below(20)).fill(part),
      message.subarray(to),
    ]);
  },
  function repeatWhole(message, random) {
    return Buffer.concat(Array<Buffer>(2 + random.below(50)).fill(message));
  },
  function lieAboutALength(message, random) {
    const lying = Buffer.from(message);
    if (lying.length > 0) {
      lying[random.below(lying.length)] = random.among([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
    }
    return lying;
  },
  function insertHugeVarint(message, random) {
    return insert(message, random.among(HUGE_VARINTS), random);
  },
  function insertNoUtf8(message, random) {
    return insert(message, random.among(NO_UTF8), random);
  },
  function overwriteWithNoUtf8(message, random) {
    const spoilt = Buffer.from(message);
    random.among(NO_UTF8).copy(spoilt, random.below(message.length + 1));
    return spoilt;
  },
  function insertNoise(message, random) {
    return insert(message, random.bytes(1 + random.below(32)), random);
  },
  function changeWireType(message, random) {
    const changed = Buffer.from(message);
    const at = random.below(2) === 0 ? 0 : random.below(message.length + 1);
    changed[at] = ((changed[at] ?? 0) & 0xf8) | random.below(8);
    return changed;
  },
  function appendUnknownFields(message, random) {
    const fields = Array.from({ length: 1 + random.below(100) }, () => unknownField(random));
    return Buffer.concat([message, ...fields]);
  },
  function nestDeeply(message, random) {
    return Buffer.concat([
      message,
      random.among([DEEP_GROUPS.subarray(random.below(DEEP_GROUPS.length)), random.among(DEEP_MESSAGES)]),
    ]);
  },
];

/** The message, changed in one to three ways. */
export function mutate(message: Buffer, random: Random): Buffer {
  let mutated = message;
  for (let changes = random.below(3); changes >= 0; changes--) {
    mutated = random.among(MUTATIONS)(mutated, random);
  }
  return mutated;
}

function range(message: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(message.length + 1);
  return [from, from + random.below(message.length - from + 1)];
}

function insert(message: Buffer, bytes: Buffer, random: Random): Buffer {
  const at = random.below(message.length + 1);
  return Buffer.concat([message.subarray(0, at), bytes, message.subarray(at)]);
}

/** Of a number that is not used, with a wire type that may not exist. */
function unknownField(random: Random): Buffer {
  const payload = random.bytes(random.below(12));
  const tag = Buffer.of(0x80 | random.below(128), 0x01 + random.below(127));
  return Buffer.concat([tag, Buffer.of(payload.length), payload]);
}

function nested(field: number, depth: number): Buffer {
  let inner = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) {
    inner = Buffer.concat([Buffer.of((field << 3) | LENGTH_DELIMITED), varint(inner.length), inner]);
  }
  return inner;
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of(0x80 | (value & 0x7f)), varint(value >>> 7)]);
}
