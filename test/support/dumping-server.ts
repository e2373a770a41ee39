import { setFlagsFromString, writeHeapSnapshot } from 'node:v8';

// A server that writes what is in its heap to the file of HEAP_SNAPSHOT at SIGUSR2, strings in full.

setFlagsFromString('--heap-snapshot-string-limit=10000000');
process.on('SIGUSR2', () => {
  const path = writeHeapSnapshot(process.env['HEAP_SNAPSHOT']);
  console.log(JSON.stringify({ msg: 'heap snapshot written', path }));
});

await import('../../src/server/main.ts');
