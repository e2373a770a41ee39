import { createSecretKey, randomBytes } from 'node:crypto';
import { DataLoss } from '../domain/errors.ts';
import type { KeyEncryption, WrappedKey } from '../ports/key-encryption.ts';
import { Seal } from './seal.ts';

const DATA_KEY_BYTES = 32;

/** Sealed bytes, and the key that opens them, wrapped. */
export interface Envelope {
  wrappedKey: WrappedKey;
  sealed: Buffer;
}

/** Seals `plain` with a data key of its own. `place` names where it is kept: elsewhere it does not open. */
export async function sealEnvelope(keys: KeyEncryption, plain: Buffer, place: string): Promise<Envelope> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const sealed = sealWith(dataKey).seal(plain, place);
  return { wrappedKey: await keys.wrap(dataKey, place), sealed };
}

/** Throws DataLoss where it was changed or moved, or its key is not there. */
export async function openEnvelope(
  keys: KeyEncryption,
  { wrappedKey, sealed }: Envelope,
  place: string,
): Promise<Buffer> {
  const dataKey = await keys.unwrap(wrappedKey, place);
  try {
    return sealWith(dataKey).open(sealed, place);
  } catch (error) {
    throw new DataLoss('STORED_SECRET_DAMAGED', 'it does not open: it was changed or moved', { cause: error });
  }
}

/** Wraps the data key anew, under the primary of now. What it sealed stays as it is. Throws as `openEnvelope` does. */
export async function rewrapEnvelope(keys: KeyEncryption, envelope: Envelope, place: string): Promise<Envelope> {
  return { ...envelope, wrappedKey: await keys.wrap(await keys.unwrap(envelope.wrappedKey, place), place) };
}

function sealWith(dataKey: Buffer): Seal {
  return new Seal(createSecretKey(dataKey));
}
