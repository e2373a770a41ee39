import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import type { Principal } from '../domain/principal.ts';
import { redact } from '../domain/redact.ts';
import { shorten } from '../domain/shorten.ts';
import { currentCaller } from './current-caller.ts';
import { type ShownPrincipal, shownPrincipal } from './shown-principal.ts';

export type { Logger };

/** Characters of an error's message with those of its causes, and of its stack, which begins with the message. */
const MAX_MESSAGE = 4_096;
const MAX_STACK = 8_192;

/**
 * JSON lines, to stdout unless told otherwise. Each carries the ids of the current trace and span, and the principal
 * for whom the work is done. Errors are written with their causes, and without anything that looks like a token. What a
 * caller chooses is cut short: principals, and the texts of errors.
 */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    mixin: context,
    serializers: { err: shownError, cause: shownError, principal: shown },
  };
  return destination ? pino(options, destination) : pino(options);
}

function context(): object {
  const span = trace.getActiveSpan()?.spanContext();
  const principal = currentCaller();
  return { ...(span ? { trace_id: span.traceId, span_id: span.spanId } : {}), ...(principal ? { principal } : {}) };
}

function shownError(error: Error): object {
  const { type, message, stack } = stdSerializers.err(error);
  return {
    type,
    message: shorten(redact(message), MAX_MESSAGE),
    stack: stack === undefined ? undefined : shorten(redact(stack), MAX_STACK),
  };
}

/** Some lines tell of a principal by its name alone. */
function shown(principal: Principal | string): ShownPrincipal | string {
  return typeof principal === 'string' ? principal : shownPrincipal(principal);
}
