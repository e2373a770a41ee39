import { z } from 'zod';
import { parseJson } from '../domain/parse-json.ts';
import type { Refusal } from '../domain/refusal.ts';

/** Of a word or a name in a Status, in characters: what is longer is not from an API server, and is not compared. */
const MAX_TEXT = 320;

/** A Status has one or two. */
const MAX_CAUSES = 16;

const text = z.string().catch('');
const word = z.string().max(MAX_TEXT).catch('');

/** Each field is read by itself: one that is odd does not take the others' meaning. */
const StatusAnswer = z.object({
  kind: z.literal('Status'),
  apiVersion: z.literal('v1').optional(),
  code: z.number().optional().catch(undefined),
  message: text,
  reason: word,
  details: z
    .object({ name: word, kind: word, group: word, causes: z.array(z.unknown()).catch([]) })
    .catch({ name: '', kind: '', group: '', causes: [] }),
});

const Cause = z.object({ reason: word, message: word }).catch({ reason: '', message: '' });

/** What is told of an answer that is not shown: a header could carry text, too. */
const CONTENT_TYPES = ['text/html', 'text/plain', 'application/json', 'application/xml', 'text/xml'];

/**
 * An API server explains itself in a Status object. What else answers may be any service that the config's URL leads
 * to, and its words are not passed on: otherwise whoever writes URLs could read from it.
 */
export function refusalIn(body: string, contentType?: string | string[]): Omit<Refusal, 'status' | 'retryAfterMs'> {
  const answer = StatusAnswer.safeParse(parseJson(body));
  if (!answer.success) {
    return { message: notShown(contentType), reason: '', objectName: '' };
  }
  const { message, reason, code, details } = answer.data;
  return {
    message,
    reason,
    code,
    objectName: details.name,
    objectKind: details.kind,
    objectGroup: details.group,
    causes: details.causes.slice(0, MAX_CAUSES).map((cause) => Cause.parse(cause)),
  };
}

function notShown(contentType: string | string[] | undefined): string {
  const type = CONTENT_TYPES.find((known) => String(contentType).toLowerCase().startsWith(known));
  return `the answer${type === undefined ? '' : ` (${type})`} is not a Kubernetes Status, so it is not from an API server and is not shown; check the URL and any proxy in front of the cluster`;
}
