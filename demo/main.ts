import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTempFolder } from '../test/servers/temp-folder.ts';
import { kubeConfigFor } from '../test/support/admin.ts';
import { ADMIN_KEY, SERVER_CA_FILE } from '../test/support/security.ts';
import { Narrator } from './narrator.ts';
import { play } from './play.ts';
import { type Stage, setTheStage } from './stage.ts';

// npm run demo: the main job on a real cluster, for a person to read. Its last line is one JSON object.
// `npm run demo -- --keep` leaves everything running until Ctrl-C.

const { values: options } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const tell = new Narrator();
const startedAt = Date.now();
try {
  tell.chapter('Setting the stage: a Kubernetes API server with RBAC, Redis, and the two processes of Leasehold');
  await using stage = await setTheStage(tell.progress);
  const figures = await play(stage, tell);
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  if (options.keep) {
    await keepRunning(stage, () => console.log(`\n${JSON.stringify({ demo: 'ok', ...figures, seconds })}`));
  } else {
    await stage[Symbol.asyncDispose]();
    console.log(`\n${JSON.stringify({ demo: 'ok', ...figures, seconds })}`);
  }
} catch (error) {
  console.error(error);
  console.log(JSON.stringify({ demo: 'failed', reason: error instanceof Error ? error.message : String(error) }));
  process.exitCode = 1;
}

async function keepRunning(
  { serverAddress, redisUrl, cluster, adminToken, collector }: Stage,
  sayLastLine: () => void,
): Promise<void> {
  const folder = await makeTempFolder('demo');
  const kubeconfig = join(folder.path, 'kubeconfig');
  await writeFile(kubeconfig, kubeConfigFor(cluster, adminToken).exportConfig(), { mode: 0o600 });
  tell.chapter('Everything stays until Ctrl-C');
  tell.say(`gRPC (TLS, reflection on)        ${serverAddress}`);
  tell.say(`CA of its certificate            ${SERVER_CA_FILE}`);
  tell.say(`API key of group admins          ${ADMIN_KEY.reveal()}`);
  tell.say(`Kubernetes API server            ${cluster.url}`);
  tell.say(`kubeconfig of its administrator  ${kubeconfig}`);
  tell.say(`Redis                            ${redisUrl}`);
  tell.say(`spans received so far            ${collector.spans.length}`);
  sayLastLine();
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await folder.remove();
}
