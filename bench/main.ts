import { benchDoors } from './doors.ts';
import { benchExpiry } from './expiry.ts';
import { benchGateway } from './gateway.ts';
import { benchIssuing } from './issuing.ts';
import { setTheStage } from './stage.ts';
import { benchUnauthenticated } from './unauthenticated.ts';

// npm run bench: Leasehold beside yardsticks in the same run. `npm run bench -- issuing`, `-- doors`, `-- expiry`,
// `-- gateway` or `-- unauthenticated` for one part. Its last line is one JSON object. It reports; it does not judge with its exit code.

const PARTS = {
  issuing: benchIssuing,
  doors: benchDoors,
  expiry: benchExpiry,
  gateway: benchGateway,
  unauthenticated: benchUnauthenticated,
};

const progress = (line: string) => console.error(line);
const wanted = process.argv.slice(2);
await using stage = await setTheStage(progress);
const figures: Record<string, unknown> = {};
for (const [name, part] of Object.entries(PARTS)) {
  if (wanted.length === 0 || wanted.includes(name)) {
    figures[name] = await part(stage, progress);
  }
}
await stage[Symbol.asyncDispose]();
console.log(JSON.stringify({ bench: figures }));
process.exit(0);
