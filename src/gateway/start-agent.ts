import { randomUUID } from 'node:crypto';
import packageJson from '../../package.json' with { type: 'json' };
import type { Logger } from '../shared/telemetry/logger.ts';
import { ChannelNotOpened } from '../shared/tunnel/channel-errors.ts';
import { Agent } from './agent.ts';
import { ApiDoor } from './api-door.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import { Dialler } from './dial.ts';
import { prepareIdentity } from './enrol.ts';
import { IdentityFile } from './identity-file.ts';
import { InClusterToken } from './in-cluster-token.ts';
import { OwnApiServer } from './own-api-server.ts';
import { allowedTargets, type GatewaySettings } from './settings.ts';
import { tellOfProxy } from './tell-of-proxy.ts';
import { anchorsIn, tunnelServers } from './tunnel-server.ts';

/** How long an agent that stops waits for the calls under way. */
const DRAIN_MS = 10_000;

/** Wires the agent and starts it. Throws where its files cannot be used. */
export async function startAgent(settings: GatewaySettings, log: Logger): Promise<{ stop(): Promise<void> }> {
  tellOfProxy(process.env, log);
  const servers = tunnelServers(settings);
  const identity = await prepareIdentity(
    new IdentityFile(settings.LEASEHOLD_GATEWAY_IDENTITY),
    settings.LEASEHOLD_GATEWAY_ENROLMENT_TOKEN,
  );
  const apiServer = new OwnApiServer({
    url: settings.LEASEHOLD_GATEWAY_API_SERVER,
    ca: anchorsIn('LEASEHOLD_GATEWAY_CA_FILE', settings.LEASEHOLD_GATEWAY_CA_FILE),
    token: new InClusterToken(settings.LEASEHOLD_GATEWAY_TOKEN_FILE),
  });
  const calls = new CallsUnderWay();
  const door = new ApiDoor(apiServer, calls, log);
  const dialler = new Dialler(allowedTargets(settings), calls, log);
  let isStopping = false;
  const agent = new Agent({
    servers,
    identity,
    instance: { instanceId: randomUUID(), version: packageJson.version },
    log,
    async accept({ target }, signal) {
      if (isStopping) {
        throw new ChannelNotOpened('not-attached', 'the agent is stopping');
      }
      return target.kind === 'api-server' ? (channel) => door.serve(channel) : dialler.dial(target.address, signal);
    },
  });
  return {
    async stop() {
      isStopping = true;
      door.close();
      await calls.ended(DRAIN_MS);
      await agent.stop();
      await apiServer.close();
    },
  };
}
