import { type GatewayDialer, NotDialled } from '../../src/shared/ports/gateway-dialer.ts';

/** For those who call clusters straight. */
export const noGateways: GatewayDialer = {
  async dial({ name }) {
    throw new NotDialled(name, 'not-connected', 'there are no gateways here');
  },
};
