// Loaded into each measured server with --import: answers questions about its process over IPC.
import cluster from 'node:cluster';
import { Session } from 'node:inspector/promises';

const inspector = new Session();

const answers = {
  cpuMicroseconds() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  async heapUsed() {
    // Finalizers of one collection make garbage for the next.
    for (let round = 0; round < 4; round += 1) {
      globalThis.gc();
      await new Promise((done) => setImmediate(done));
    }
    return process.memoryUsage().heapUsed;
  },
  async startProfile() {
    inspector.connect();
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.setSamplingInterval', { interval: 200 });
    await inspector.post('Profiler.start');
  },
  async stopProfile() {
    const { profile } = await inspector.post('Profiler.stop');
    inspector.disconnect();
    return profile;
  },
};

// Workers load this too, and answer to their primary alone.
if (cluster.isPrimary) {
  process.on('message', async (question) => {
    process.send({ question, answer: await answers[question]() });
  });
  process.on('disconnect', () => process.exit());
  // In a worker thread, which loads this too, there is no channel.
  process.channel?.unref();
}
