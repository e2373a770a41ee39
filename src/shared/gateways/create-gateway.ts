import { v7 as uuidv7 } from 'uuid';
import type { Ports } from '../ports/ports.ts';
import { type EnrolmentToken, newToken } from './enrolment-token.ts';
import { type GatewayView, viewGateway } from './view-gateway.ts';

/** Makes a gateway known, with a token for its first agent. Throws AlreadyExists or Unavailable. */
export async function createGateway(
  ports: Ports,
  { name, tokenTtlSeconds }: { name: string; tokenTtlSeconds: number },
): Promise<{ gateway: GatewayView; enrolmentToken: EnrolmentToken }> {
  const gateway = { name, uid: uuidv7(), createTime: ports.clock.now() };
  await ports.gateways.create(gateway);
  ports.log.info({ gateway: name }, 'gateway created');
  const enrolmentToken = await newToken(ports, gateway, tokenTtlSeconds);
  return { gateway: await viewGateway(ports, gateway), enrolmentToken };
}
