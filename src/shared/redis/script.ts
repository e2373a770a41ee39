import { readFileSync } from 'node:fs';
import type { ScriptRunner } from './script-runner.ts';
import { storeCall } from './store-call.ts';

type Script = (runner: ScriptRunner, keys: string[], args: (string | number)[]) => Promise<unknown>;

/**
 * A Lua script of the folder `scripts`, as a function. Redis runs it whole or not at all. `libraries`: others there,
 * which define what it calls.
 */
export function loadScript(name: string, ...libraries: string[]): Script {
  const lua = [...libraries, name].map(read).join('\n');
  return (runner, keys, args) => storeCall(() => runner.run(lua, keys, args));
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}
