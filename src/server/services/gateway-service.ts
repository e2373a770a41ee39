import { z } from 'zod';
import {
  type CreateEnrolmentTokenRequest,
  type CreateGatewayRequest,
  type DeleteGatewayRequest,
  Gateway as GatewayMessage,
  type GatewayServiceImplementation,
  type GetGatewayRequest,
  type ListGatewaysRequest,
} from '../../gen/leasehold/v1/gateway_service.ts';
import { FailedPrecondition } from '../../shared/domain/errors.ts';
import { createGateway } from '../../shared/gateways/create-gateway.ts';
import { deleteGateway } from '../../shared/gateways/delete-gateway.ts';
import { createEnrolmentToken } from '../../shared/gateways/enrolment-token.ts';
import { viewGateway } from '../../shared/gateways/view-gateway.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import type { CallerContext } from '../caller.ts';
import type { Guard, GuardedService } from '../guard.ts';
import type { Lists } from '../lists.ts';
import { enrolmentTokenMessage, gatewayMessage } from '../messages/gateway-message.ts';
import { dnsLabel, pageSize, wholeSeconds } from '../requests/fields.ts';
import { parse } from '../requests/parse.ts';
import { gatewayOf, gatewayResource, INSTALLATION } from '../resources.ts';

const DEFAULT_TOKEN_SECONDS = 3_600;
const MAX_TOKEN_SECONDS = 7 * 86_400;

const tokenTtl = wholeSeconds
  .refine((seconds) => seconds >= 1 && seconds <= MAX_TOKEN_SECONDS, 'must be 1 s to 7 days')
  .default(DEFAULT_TOKEN_SECONDS);

const named = z.object({ name: dnsLabel });
const paged = z.object({ pageSize });
const createRequest = z.object({ name: dnsLabel, tokenTtl });
const tokenRequest = z.object({ gateway: dnsLabel, ttl: tokenTtl });

/** What the settings say. */
export interface GatewayServiceOptions {
  /** Whether gateways can attach to this server. */
  hasRelay: boolean;
}

/** The RPCs of leasehold.v1.GatewayService; the proto says what each does. */
export function gatewayService(
  ports: Ports,
  guard: Guard,
  lists: Lists,
  { hasRelay }: GatewayServiceOptions,
): GuardedService<GatewayServiceImplementation<CallerContext>> {
  return {
    createGateway: guard.unary('CreateGateway', {
      parse: (request: CreateGatewayRequest) => parse(createRequest, request),
      on: ({ name }) => ({ resource: gatewayResource({ name }) }),
      async run({ name, tokenTtl }, _found, { name: principal }) {
        if (!hasRelay) {
          throw new FailedPrecondition(
            'RELAY_NOT_ENABLED',
            'gateways could not attach: the server has no LEASEHOLD_RELAY_LISTEN',
          );
        }
        const { gateway, enrolmentToken } = await createGateway(ports, { name, tokenTtlSeconds: tokenTtl, principal });
        return { gateway: gatewayMessage(gateway), enrolmentToken: enrolmentTokenMessage(enrolmentToken) };
      },
    }),

    getGateway: guard.unary('GetGateway', {
      parse: (request: GetGatewayRequest) => parse(named, request),
      on: ({ name }) => gatewayOf(ports, name),
      run: async (_wanted, { gateway }) => gatewayMessage(await viewGateway(ports, gateway)),
    }),

    listGateways: guard.unary('ListGateways', {
      parse: ({ pageToken, ...request }: ListGatewaysRequest) => ({ ...parse(paged, request), pageToken }),
      on: () => INSTALLATION,
      async run(page, _found, caller) {
        const { items, nextPageToken } = await lists.page(page, {}, caller, {
          list: 'ListGateways',
          shows: { action: 'GetGateway', of: 'gateway' },
          read: (after = '', limit) => ports.gateways.list({ after, limit }),
          nameOf: ({ name }) => name,
          resourceOf: gatewayResource,
          messageOf: async (gateway) => gatewayMessage(await viewGateway(ports, gateway)),
          type: GatewayMessage,
        });
        return { gateways: items, nextPageToken };
      },
    }),

    createEnrolmentToken: guard.unary('CreateEnrolmentToken', {
      parse: ({ revokeIdentities, ...request }: CreateEnrolmentTokenRequest) => ({
        ...parse(tokenRequest, request),
        revokeIdentities,
      }),
      on: (wanted) => gatewayOf(ports, wanted.gateway),
      conditions: ({ revokeIdentities }) => ({ revokeIdentities }),
      async run({ ttl: ttlSeconds, revokeIdentities }, { gateway }, { name: principal }) {
        const token = await createEnrolmentToken(ports, gateway, { ttlSeconds, revokeIdentities, principal });
        return { enrolmentToken: enrolmentTokenMessage(token) };
      },
    }),

    deleteGateway: guard.unary('DeleteGateway', {
      parse: ({ force, ...request }: DeleteGatewayRequest) => ({ ...parse(named, request), force }),
      on: ({ name }) => gatewayOf(ports, name),
      conditions: ({ force }) => ({ force }),
      async run({ force }, { gateway }) {
        await deleteGateway(ports, gateway, { force });
        return {};
      },
    }),
  };
}
