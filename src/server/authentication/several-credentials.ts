import { Unauthenticated } from '../../shared/domain/errors.ts';

/**
 * A call that shows two credentials is refused, whichever are good. A proxy that connects with its own certificate and
 * passes on a user's token would act as itself for everyone behind it (confused deputy, CWE-441).
 */
export function severalCredentials(what: string): Unauthenticated {
  return new Unauthenticated(
    'CREDENTIALS_AMBIGUOUS',
    `the call shows more than one credential: ${what}. Send either a client certificate that names a caller or one ` +
      '`authorization: Bearer` token',
  );
}
