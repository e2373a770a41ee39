import { setTimeout as sleep } from 'node:timers/promises';
import type { DeepPartial } from '../../src/gen/leasehold/v1/config_service.ts';
import type { IssueLeaseRequest } from '../../src/gen/leasehold/v1/lease_service.ts';
import type { LeaseholdClient } from './leasehold.ts';
import { type Rejection, rejectionOf } from './rejection.ts';

const CALLERS = 2;
const PAUSE_MS = 50;

/** Callers that issue one lease after the other, whatever becomes of it. */
export interface SteadyIssuing {
  /** Ids of the leases that the callers were told of. */
  issued: string[];
  /** What the others were told. */
  rejections: Rejection[];
  stop(): Promise<void>;
}

export function issueSteadily(client: LeaseholdClient, request: DeepPartial<IssueLeaseRequest>): SteadyIssuing {
  const issued: string[] = [];
  const rejections: Rejection[] = [];
  let goesOn = true;
  const call = async () => {
    while (goesOn) {
      const answer = client.leases.issueLease(request);
      const id = await answer.then(
        ({ lease }) => lease?.id,
        () => undefined,
      );
      if (id === undefined) {
        rejections.push(await rejectionOf(answer));
      } else {
        issued.push(id);
      }
      await sleep(PAUSE_MS);
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, call));
  return {
    issued,
    rejections,
    async stop() {
      goesOn = false;
      await callers;
    },
  };
}
