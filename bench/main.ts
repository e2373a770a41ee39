import { benchBeside } from './beside.ts';
import { benchDoors } from './doors.ts';
import { benchExpiry } from './expiry.ts';
import { benchGateway } from './gateway.ts';
import { benchIssuing } from './issuing.ts';
import { setTheStage } from './stage.ts';
import { benchTenants } from './tenants.ts';
import { benchUnauthenticated } from './unauthenticated.ts';

// npm run bench: Leasehold beside yardsticks in the same run. `npm run bench -- issuing`, `-- doors`, `-- expiry`, `-- gateway`,
// `-- tenants` or `-- unauthenticated` for one part. `LEASEHOLD_BENCH_CHECKOUT=<path> npm run bench -- beside` compares issuing
// with another checkout, and is run only where it is asked for. Its last line is one JSON object. It reports; it does not judge
// with its exit code.

const PARTS = {
  issuing: benchIssuing,
  doors: benchDoors,
  expiry: benchExpiry,
  gateway: benchGateway,
  tenants: benchTenants,
  unauthenticated: benchUnauthenticated,
};
const ON_REQUEST = { beside: benchBeside };

const progress = (line: string) => console.error(line);
const wanted = process.argv.slice(2);
await using stage = await setTheStage(progress);
const figures: Record<string, unknown> = {};
for (const [name, part] of Object.entries({ ...PARTS, ...ON_REQUEST })) {
  if (wanted.includes(name) || (wanted.length === 0 && name in PARTS)) {
    figures[name] = await part(stage, progress);
  }
}
await stage[Symbol.asyncDispose]();
console.log(JSON.stringify({ bench: figures }));
process.exit(0);
