/** What goes back to Leasehold: no other header of an API server does. */
export interface Answer {
  status: number;
  contentType: string;
  retryAfter?: string | undefined;
  /** By the API server's clock; left out where the gateway itself answers. */
  date?: string | undefined;
  body: Buffer;
}

/**
 * What the gateway itself answers: a Status object, as API servers explain themselves. It has no `details`: with a name
 * in it, Leasehold could take it for the API server's own word that an object is gone.
 */
export function ownAnswer(status: number, reason: string, message: string): Answer {
  const explanation = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message };
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(explanation)) };
}
