import { type Metadata, ServerInterceptingCall, type ServerInterceptor, type StatusObject } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo } from 'nice-grpc-error-details';
import { shorten } from '../../shared/domain/shorten.ts';

/**
 * What an error may take of the headers, as HTTP/2 counts them (RFC 9113, 6.5.2: names, values, and 32 bytes for each).
 * Clients of Java, Python and C++ drop a call whose headers are above 8 KiB, with the whole error
 * (`grpc.max_metadata_size`, `maxInboundMetadataSize`); the rest is for the other headers.
 */
export const MAX_ERROR_BYTES = 7 * 1024;

const HEADER_OVERHEAD = 32;

/** Of what is not ours to measure: tags and lengths of protobuf, the type URL of each detail. */
const DETAIL_OVERHEAD = 64;

/** How far an error is shortened, step by step, until it fits: characters of its message and of each text, items of a list. */
const STEPS = [
  { message: 4_000, text: 2_000, items: 32 },
  { message: 2_000, text: 1_000, items: 16 },
  { message: 1_200, text: 500, items: 16 },
  { message: 800, text: 250, items: 8 },
  { message: 400, text: 120, items: 8 },
  { message: 200, text: 60, items: 4 },
] as const;
type Step = (typeof STEPS)[number];
const SHORTEST = 200;

/** What errors of ours are told with. */
export type Detail = ErrorInfo | RetryInfo | BadRequest | QuotaFailure | ResourceInfo;

interface Told {
  message: string;
  details: Detail[];
}

/**
 * The error as it fits into the headers: long texts and lists are cut first, then details are left out, those of least
 * worth first. `details`: those of most worth first. Code and reason always stay.
 */
export function withinBudget({ message, details }: Told): Told {
  for (const step of STEPS) {
    const shorter = { message: shorten(message, step.message), details: details.map((detail) => cut(detail, step)) };
    if (fits(shorter)) {
      return shorter;
    }
  }
  const shortest = { message: shorten(message, SHORTEST), details: details.map(withoutMetadata) };
  while (!fits(shortest)) {
    shortest.details.pop();
  }
  return shortest;
}

function cut(detail: Detail, { text, items }: Step): Detail {
  switch (detail.$type) {
    case 'google.rpc.ErrorInfo': {
      const metadata = Object.entries(detail.metadata).map(([key, value]) => [key, shorten(value, text)]);
      return { ...detail, metadata: Object.fromEntries(metadata) };
    }
    case 'google.rpc.BadRequest': {
      const fieldViolations = detail.fieldViolations.slice(0, items).map(({ field, description, ...rest }) => ({
        ...rest,
        field: shorten(field, text),
        description: shorten(description, text),
      }));
      return { ...detail, fieldViolations };
    }
    case 'google.rpc.QuotaFailure': {
      const violations = detail.violations.slice(0, items).map(({ subject, description, ...rest }) => ({
        ...rest,
        subject: shorten(subject, text),
        description: shorten(description, text),
      }));
      return { ...detail, violations };
    }
    case 'google.rpc.ResourceInfo':
      return { ...detail, resourceName: shorten(detail.resourceName, text) };
    case 'google.rpc.RetryInfo':
      return detail;
  }
}

/** The reason says all that a program may act upon. */
function withoutMetadata(detail: Detail): Detail {
  return detail.$type === 'google.rpc.ErrorInfo' ? { ...detail, metadata: {} } : detail;
}

/** Bounds every status that is sent, whoever made it: also what does not come from the use cases. */
export const boundStatuses: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    sendStatus: (status, next) => next(bounded(status)),
  });

function bounded<Sent extends Pick<StatusObject, 'details'> & { metadata?: Metadata | null | undefined }>(
  status: Sent,
): Sent {
  // Details of ours are within the budget already, together with their message.
  const isRich = (status.metadata?.get('grpc-status-details-bin').length ?? 0) > 0;
  return isRich ? status : { ...status, details: withinBudget({ message: status.details, details: [] }).message };
}

function fits(told: Told): boolean {
  return sizeOf(told) <= MAX_ERROR_BYTES;
}

/** In the headers `grpc-message`, percent-encoded, and `grpc-status-details-bin`, in base64 and with the message once more. */
export function sizeOf({ message, details }: Told): number {
  const encodedMessage = encodeURI(message).length;
  const bytes = details.reduce((sum, detail) => sum + bytesOf(detail) + DETAIL_OVERHEAD, Buffer.byteLength(message));
  const binary = Math.ceil((bytes + DETAIL_OVERHEAD) / 3) * 4;
  const names = 'grpc-status'.length + 'grpc-message'.length + 'grpc-status-details-bin'.length;
  return encodedMessage + binary + names + 2 + 3 * HEADER_OVERHEAD;
}

function bytesOf(detail: Detail): number {
  switch (detail.$type) {
    case 'google.rpc.ErrorInfo':
      return ErrorInfo.encode(detail).finish().length;
    case 'google.rpc.BadRequest':
      return BadRequest.encode(detail).finish().length;
    case 'google.rpc.QuotaFailure':
      return QuotaFailure.encode(detail).finish().length;
    case 'google.rpc.ResourceInfo':
      return ResourceInfo.encode(detail).finish().length;
    case 'google.rpc.RetryInfo':
      return RetryInfo.encode(detail).finish().length;
  }
}
