import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { Server } from 'node:net';
import { z } from 'zod';

/**
 * https://nodejs.org/api/diagnostics_channel.html: a server was told to listen, and does not accept connections yet.
 */
const LISTEN = tracingChannel('net.server.listen');

const Listening = z.object({ server: z.instanceof(Server) });

const watchers = new AsyncLocalStorage<(server: Server) => void>();

LISTEN.asyncStart.subscribe((message) => watchers.getStore()?.(Listening.parse(message).server));

/** Runs `listen`, and calls `watch` with each server that starts to listen: grpc-js does not show its servers. */
export function watchingServers<T>(watch: (server: Server) => void, listen: () => Promise<T>): Promise<T> {
  return watchers.run(watch, listen);
}
