import { z } from 'zod';
import type { GatewayServiceImplementation } from '../../gen/leasehold/v1/gateway_service.ts';
import { FailedPrecondition } from '../../shared/domain/errors.ts';
import { createGateway } from '../../shared/gateways/create-gateway.ts';
import { deleteGateway } from '../../shared/gateways/delete-gateway.ts';
import { createEnrolmentToken } from '../../shared/gateways/enrolment-token.ts';
import { findGateway } from '../../shared/gateways/find-gateway.ts';
import { viewGateway } from '../../shared/gateways/view-gateway.ts';
import type { Ports } from '../../shared/ports/ports.ts';
import { enrolmentTokenMessage, gatewayMessage } from '../messages/gateway-message.ts';
import { dnsLabel, pageSize, wholeSeconds } from '../requests/fields.ts';
import { readPageToken, writePageToken } from '../requests/page-token.ts';
import { parse } from '../requests/parse.ts';

const DEFAULT_TOKEN_SECONDS = 3_600;
const MAX_TOKEN_SECONDS = 7 * 86_400;

const tokenTtl = wholeSeconds
  .refine((seconds) => seconds >= 1 && seconds <= MAX_TOKEN_SECONDS, 'must be 1 s to 7 days')
  .default(DEFAULT_TOKEN_SECONDS);

const named = z.object({ name: dnsLabel });
const createRequest = z.object({ name: dnsLabel, tokenTtl });
const tokenRequest = z.object({ gateway: dnsLabel, ttl: tokenTtl });

/** What the settings say. */
export interface GatewayServiceOptions {
  /** Whether gateways can attach to this server. */
  hasRelay: boolean;
}

/** The RPCs of leasehold.v1.GatewayService; the proto says what each does. */
export function gatewayService(ports: Ports, { hasRelay }: GatewayServiceOptions): GatewayServiceImplementation {
  return {
    async createGateway(request) {
      const wanted = parse(createRequest, request);
      if (!hasRelay) {
        throw new FailedPrecondition(
          'RELAY_NOT_ENABLED',
          'gateways could not attach: the server has no LEASEHOLD_RELAY_LISTEN',
        );
      }
      const { gateway, enrolmentToken } = await createGateway(ports, {
        name: wanted.name,
        tokenTtlSeconds: wanted.tokenTtl,
      });
      return { gateway: gatewayMessage(gateway), enrolmentToken: enrolmentTokenMessage(enrolmentToken) };
    },

    async getGateway(request) {
      const { name } = parse(named, request);
      return gatewayMessage(await viewGateway(ports, await findGateway(ports, name)));
    },

    async listGateways(request) {
      const limit = parse(z.object({ pageSize }), request).pageSize;
      const after = readPageToken(request.pageToken, {}) ?? '';
      const gateways = await ports.gateways.list({ after, limit: limit + 1 });
      const page = gateways.slice(0, limit);
      const views = await Promise.all(page.map((gateway) => viewGateway(ports, gateway)));
      return {
        gateways: views.map(gatewayMessage),
        nextPageToken: gateways.length > limit ? writePageToken(page.at(-1)?.name ?? '', {}) : '',
      };
    },

    async createEnrolmentToken(request) {
      const { gateway, ttl } = parse(tokenRequest, request);
      const { revokeIdentities } = request;
      const token = await createEnrolmentToken(ports, gateway, { ttlSeconds: ttl, revokeIdentities });
      return { enrolmentToken: enrolmentTokenMessage(token) };
    },

    async deleteGateway(request) {
      const { name } = parse(named, request);
      await deleteGateway(ports, name, request);
      return {};
    },
  };
}
