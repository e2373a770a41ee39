import { Unauthenticated } from '../../shared/domain/errors.ts';
import type { Principal } from '../../shared/domain/principal.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/**
 * Who shows these credentials, as the first says that knows their kind. Throws Unauthenticated, or Unavailable where that
 * cannot be found out.
 */
export async function authenticate(
  authenticators: readonly Authenticator[],
  credentials: Credentials,
): Promise<Principal> {
  for (const authenticator of authenticators) {
    const principal = await authenticator.authenticate(credentials);
    if (principal) {
      return principal;
    }
  }
  throw nobodyKnows(credentials);
}

function nobodyKnows({ certificate, bearer }: Credentials): Unauthenticated {
  if (bearer) {
    return new Unauthenticated(
      'CREDENTIALS_INVALID',
      'the bearer token is neither an API key nor a token of an issuer that counts here',
    );
  }
  if (certificate) {
    return new Unauthenticated(
      'CREDENTIALS_INVALID',
      'the client certificate is trusted, but names nobody who counts here: neither its trust domain nor its subject does',
    );
  }
  return new Unauthenticated(
    'CREDENTIALS_MISSING',
    'who calls? Send `authorization: Bearer ...` with a token or an API key, or use a client certificate',
  );
}
