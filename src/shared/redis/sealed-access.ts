import { z } from 'zod';
import { DataLoss } from '../domain/errors.ts';
import { parseJson } from '../domain/parse-json.ts';
import type { Envelope } from '../sealing/envelope.ts';

const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));

const SealedAccessRecord = z.object({ configUid: z.string(), keyId: z.string(), wrappedKey: bytes, sealed: bytes });

/** Of which config the record says that it is, which only its opening proves, and what is sealed. */
export interface SealedAccess {
  configUid: string;
  envelope: Envelope;
}

/** Where an access is kept: sealed for it, it does not open as another, nor as another config's. */
export function placeOf(configUid: string, id: string): string {
  return JSON.stringify(['leasehold/access/v1', configUid, id]);
}

/** Throws DataLoss where it is none. */
export function readSealedAccess(data: string): SealedAccess {
  const record = SealedAccessRecord.safeParse(parseJson(data));
  if (!record.success) {
    throw new DataLoss('STORED_SECRET_DAMAGED', 'its record is cut off or changed', { cause: record.error });
  }
  const { configUid, keyId, wrappedKey, sealed } = record.data;
  return { configUid, envelope: { wrappedKey: { keyId, bytes: wrappedKey }, sealed } };
}

export function writeSealedAccess(configUid: string, { wrappedKey, sealed }: Envelope): string {
  return JSON.stringify({
    configUid,
    keyId: wrappedKey.keyId,
    wrappedKey: wrappedKey.bytes.toString('base64'),
    sealed: sealed.toString('base64'),
  });
}
