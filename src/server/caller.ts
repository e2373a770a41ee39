import type { Principal } from '../shared/domain/principal.ts';
import type { Origin } from '../shared/ports/authorizer.ts';

/** What authentication adds to the context of a call. */
export interface CallerContext {
  principal: Principal;
  origin: Origin;
}
