import type { ClientMiddleware } from 'nice-grpc';
import { keepEvidence } from './evidence-folder.ts';

const known = new Set<string>();

/** Tells the scan at the end of the run that this must stand nowhere: a token, a key in base64, a PEM private key. */
export function knownSecret(value: string): string {
  if (!known.has(value)) {
    known.add(value);
    keepEvidence('secrets', `${JSON.stringify(value)}\n`);
  }
  return value;
}

/** Tells it of every token that a client sends in a config, or is given. */
export const knowingTokens: ClientMiddleware = async function* (call, options) {
  knowTokensIn(call.request);
  const responses = call.next(call.request, options);
  if (call.responseStream) {
    return yield* responses;
  }
  const response = yield* responses;
  knowTokensIn(response);
  return response;
};

function knowTokensIn(message: unknown): void {
  if (typeof message !== 'object' || message === null) {
    return;
  }
  for (const [field, value] of Object.entries(message)) {
    if (field === 'token' && typeof value === 'string') {
      knownSecret(value);
    } else {
      knowTokensIn(value);
    }
  }
}
