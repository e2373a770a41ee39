import type { GatewayRef } from '../domain/config.ts';
import type { Gateway, SeenLink } from '../domain/gateway.ts';
import type { Ports } from '../ports/ports.ts';

/** A gateway, and what is known of its agents. */
export interface GatewayView {
  name: string;
  uid: string;
  /** undefined: it was deleted. */
  createTime: number | undefined;
  /** Those that are connected, longest first. */
  links: SeenLink[];
  lastSeenTime: number | undefined;
  identityCount: number;
}

export async function viewGateway(ports: Ports, gateway: Gateway): Promise<GatewayView> {
  return { ...(await viewAgents(ports, gateway)), createTime: gateway.createTime };
}

/** The gateway that a config names, which may be gone by now, and another of its name in its place. */
export async function viewGatewayOf(ports: Ports, { name, uid }: GatewayRef): Promise<GatewayView> {
  const [stored, view] = await Promise.all([ports.gateways.get(name), viewAgents(ports, { name, uid })]);
  return { ...view, createTime: stored?.uid === uid ? stored.createTime : undefined };
}

async function viewAgents(ports: Ports, { name, uid }: GatewayRef): Promise<Omit<GatewayView, 'createTime'>> {
  const [links, lastSeenTime, identityCount] = await Promise.all([
    ports.gatewayLinks.of({ name, uid }),
    ports.gatewayLinks.lastSeen({ name, uid }),
    ports.gateways.countIdentities({ name, uid }),
  ]);
  return { name, uid, links: links.toSorted((a, b) => a.connectTime - b.connectTime), lastSeenTime, identityCount };
}
