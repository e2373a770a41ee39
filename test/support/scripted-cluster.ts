import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

/** What a scripted API server answers; an object is sent as JSON. */
export interface ScriptedAnswer {
  status: number;
  body: object;
}

/** A call to it: `create serviceaccounts`, and the token that it came with. */
interface ScriptedCall {
  what: string;
  token: string;
  isDryRun: boolean;
  /** Last segment of its path. */
  name: string;
}

/** What a call is answered; undefined: as a well cluster does. `hang`: not at all. */
export type Script = (call: ScriptedCall) => ScriptedAnswer | 'hang' | undefined;

export interface ScriptedCluster extends AnsweringServer {
  /** From now on. */
  play(script: Script): void;
  calls: ScriptedCall[];
}

const VERBS: Record<string, string> = { GET: 'get', POST: 'create', DELETE: 'delete' };

/** Something that answers like an API server which keeps nothing, but for what a script says. */
export async function startScriptedCluster(): Promise<ScriptedCluster> {
  let script: Script = () => undefined;
  const calls: ScriptedCall[] = [];
  const server = await startAnsweringServer((request, response) => {
    request.resume();
    const call = callOf(request);
    calls.push(call);
    const answer = script(call) ?? wellAnswer(call);
    if (answer !== 'hang') {
      send(response, answer);
    }
  });
  return {
    ...server,
    calls,
    play(next) {
      script = next;
    },
  };
}

/** A Status, as an API server refuses. */
export function refusal(status: number, reason: string, message: string, name = ''): ScriptedAnswer {
  return { status, body: { kind: 'Status', status: 'Failure', reason, message, code: status, details: { name } } };
}

function callOf({ method = '', url = '', headers }: IncomingMessage): ScriptedCall {
  const [path = '', query = ''] = url.split('?');
  const segments = path.split('/').map(decodeURIComponent);
  const [resource = '', name = '', subresource] = resourceIn(segments);
  return {
    what: `${VERBS[method]} ${[resource, subresource].filter(Boolean).join('/')}`,
    token: headers.authorization?.replace('Bearer ', '') ?? '',
    isDryRun: query.includes('dryRun=All'),
    name,
  };
}

/** Resource, name and subresource of a path: /api/v1/namespaces/a/pods/b/log. */
function resourceIn(segments: string[]): string[] {
  const afterVersion = segments.slice(segments.indexOf('v1') + 1);
  return afterVersion[0] === 'namespaces' && afterVersion.length > 2 ? afterVersion.slice(2) : afterVersion;
}

function wellAnswer({ what, name }: ScriptedCall): ScriptedAnswer {
  switch (what) {
    case 'create selfsubjectaccessreviews':
      return { status: 201, body: { status: { allowed: true } } };
    case 'create serviceaccounts/token':
      return { status: 201, body: { status: { token: 'scripted', expirationTimestamp: inAnHour() } } };
    case 'get clusterroles':
      return { status: 200, body: { kind: 'ClusterRole', metadata: { name }, rules: [{ verbs: ['get'] }] } };
    case 'get serviceaccounts':
      return { status: 200, body: { kind: 'ServiceAccount', metadata: { name } } };
    default:
      return what.startsWith('delete')
        ? { status: 200, body: { kind: 'Status', status: 'Success' } }
        : { status: 201, body: { metadata: { uid: 'uid' } } };
  }
}

function inAnHour(): string {
  return `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
}

function send(response: ServerResponse, { status, body }: ScriptedAnswer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
