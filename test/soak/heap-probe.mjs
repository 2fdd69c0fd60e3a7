// Loaded into each app with --import: on SIGUSR2 it prints what is left after a full garbage collection.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

process.on('SIGUSR2', async () => {
  // Finalizers of one collection make garbage for the next.
  for (let round = 0; round < 4; round += 1) {
    collectGarbage();
    await new Promise((done) => setImmediate(done));
  }
  console.log(JSON.stringify({ msg: 'heap', bytes: process.memoryUsage().heapUsed }));
});
