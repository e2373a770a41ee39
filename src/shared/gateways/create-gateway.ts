import { v7 as uuidv7 } from 'uuid';
import { ResourceExhausted } from '../domain/errors.ts';
import type { Ports } from '../ports/ports.ts';
import { type EnrolmentToken, newToken } from './enrolment-token.ts';
import { type GatewayView, viewGateway } from './view-gateway.ts';

/**
 * Makes a gateway known, with a token for its first agent. Throws AlreadyExists, ResourceExhausted (then there is no
 * gateway) or Unavailable.
 */
export async function createGateway(
  ports: Ports,
  { name, tokenTtlSeconds, principal }: { name: string; tokenTtlSeconds: number; principal: string },
): Promise<{ gateway: GatewayView; enrolmentToken: EnrolmentToken }> {
  const gateway = { name, uid: uuidv7(), createTime: ports.clock.now() };
  await ports.gateways.create(gateway, principal);
  const enrolmentToken = await newToken(ports, gateway, { ttlSeconds: tokenTtlSeconds, principal }).catch(
    async (error: unknown) => {
      if (error instanceof ResourceExhausted) {
        await ports.gateways.delete(gateway);
      }
      throw error;
    },
  );
  ports.log.info({ gateway: name }, 'gateway created');
  return { gateway: await viewGateway(ports, gateway), enrolmentToken };
}
