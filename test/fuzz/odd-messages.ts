import { type DescField, type DescMessage, type DescOneof, ScalarType } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';

/** Values that lead further than any at random would: by the name of the field. */
export type KnownValues = Readonly<Record<string, readonly string[]>>;

/** Messages in messages are no deeper, where a type holds itself. */
const MAX_DEPTH = 8;

/** How many known values there are for each odd one: a request has many fields, and one that is wrong is enough for it to be refused. */
const CALM = 100;
const WILD = 6;

const NOTHING = Buffer.of();

/** Messages of that type, in the wire format: valid in form, and more or less odd in what they say. */
export function oddMessages(message: DescMessage, known: KnownValues): fc.Arbitrary<Buffer> {
  return fc.oneof(new Oddity(known, CALM).message(message), new Oddity(known, WILD).message(message));
}

class Oddity {
  readonly #known: KnownValues;
  readonly #calm: number;

  constructor(known: KnownValues, calm: number) {
    this.#known = known;
    this.#calm = calm;
  }

  message(message: DescMessage, depth = 0): fc.Arbitrary<Buffer> {
    const members = message.members.map((member) =>
      member.kind === 'oneof' ? this.#oneOf(member, depth) : this.#maybe(this.#field(member, depth)),
    );
    return depth > MAX_DEPTH ? fc.constant(NOTHING) : joined(members);
  }

  /** One of them; or some, of which the last counts. */
  #oneOf({ fields }: DescOneof, depth: number): fc.Arbitrary<Buffer> {
    const choices = fields.map((field) => this.#field(field, depth));
    return this.#mostly(fc.oneof(...choices), joined(choices.map((choice) => this.#maybe(choice))));
  }

  #field(field: DescField, depth: number): fc.Arbitrary<Buffer> {
    switch (field.fieldKind) {
      case 'scalar':
        return this.#scalar(field.number, field.scalar, field.name);
      case 'enum':
        return this.#scalar(field.number, ScalarType.INT32, 'enum');
      case 'message':
        return delimited(field.number, this.message(field.message, depth + 1));
      case 'list':
        return this.#many(this.#listItem(field, depth));
      case 'map':
        return this.#many(delimited(field.number, this.#mapEntry(field)));
    }
  }

  #listItem(field: DescField & { fieldKind: 'list' }, depth: number): fc.Arbitrary<Buffer> {
    switch (field.listKind) {
      case 'message':
        return delimited(field.number, this.message(field.message, depth + 1));
      case 'scalar':
        return this.#scalar(field.number, field.scalar, field.name);
      case 'enum':
        return this.#scalar(field.number, ScalarType.INT32, 'enum');
    }
  }

  /** A map is a list of messages with a key and a value; ours hold strings. */
  #mapEntry({ name, mapKey }: DescField & { fieldKind: 'map' }): fc.Arbitrary<Buffer> {
    const parts = [this.#scalar(1, mapKey, `${name}.key`), this.#scalar(2, ScalarType.STRING, `${name}.value`)];
    return joined(parts.map((part) => this.#maybe(part)));
  }

  #many(item: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
    const few = fc.array(item, { maxLength: 2 }).map((items) => Buffer.concat(items));
    const lots = fc
      .tuple(item, fc.integer({ min: 20, max: 400 }))
      .map(([one, count]) => Buffer.concat(Array<Buffer>(count).fill(one)));
    return this.#mostly(few, lots);
  }

  #scalar(number: number, type: ScalarType, name: string): fc.Arbitrary<Buffer> {
    const varint = (value: bigint) => write((to) => to.tag(number, WireType.Varint).uint64(BigInt.asUintN(64, value)));
    const known = this.#known[name] ?? [];
    switch (type) {
      case ScalarType.STRING:
        return delimited(
          number,
          this.#knownOr(
            known.map((text) => Buffer.from(text)),
            oddText,
          ),
        );
      case ScalarType.BYTES:
        return delimited(
          number,
          this.#knownOr(
            known.map((hex) => Buffer.from(hex, 'hex')),
            oddBytes,
          ),
        );
      case ScalarType.BOOL:
        return fc.constantFrom(0n, 1n).map(varint);
      default:
        return this.#knownOr(known.map(BigInt), oddNumber).map(varint);
    }
  }

  #maybe(arbitrary: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
    return this.#mostly(arbitrary, fc.constant(NOTHING));
  }

  #knownOr<T>(known: readonly T[], odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
    return known.length === 0 ? odd : this.#mostly(fc.constantFrom(...known), odd);
  }

  #mostly<T>(calm: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
    return fc.oneof({ weight: this.#calm, arbitrary: calm }, { weight: 1, arbitrary: odd });
  }
}

const oddText = fc
  .oneof(
    fc.constantFrom('', ' ', '\0', '*', '..', '/', '__proto__', 'constructor', '💥', '\u202e', '%s', '-1', 'a\r\nb'),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ maxLength: 12 }).map((text) => text.repeat(100)),
  )
  .map((text) => Buffer.from(text));

const oddBytes = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));

const oddNumber = fc.oneof(
  fc.constantFrom(-1n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

function joined(parts: readonly fc.Arbitrary<Buffer>[]): fc.Arbitrary<Buffer> {
  return fc.tuple(...parts).map((bytes) => Buffer.concat(bytes));
}

function delimited(number: number, content: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return content.map((bytes) => write((to) => to.tag(number, WireType.LengthDelimited).bytes(bytes)));
}

function write(fields: (to: BinaryWriter) => BinaryWriter): Buffer {
  return Buffer.from(fields(new BinaryWriter()).finish());
}
