import { AllowedNetworks } from '../../src/shared/kubernetes/egress/allowed-networks.ts';
import { EgressGuard } from '../../src/shared/kubernetes/egress/egress-guard.ts';

/**
 * Where the tests' clusters are: on this machine; at the other end of a network namespace's cable; and on Docker's bridge,
 * where the tests themselves run in a container.
 */
export const TEST_NETWORKS = '127.0.0.0/8,::1/128,198.18.0.0/15,172.16.0.0/12';

/** Lets through what tests call. */
export const testEgress = new EgressGuard(AllowedNetworks.parse(TEST_NETWORKS));
