import cluster, { type Worker } from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import { AggregatorRegistry, type Registry } from 'prom-client';
import type { Service } from '../../core.ts';

/** A series as prom-client writes it for other processes. */
type Series = { type: string };

const question = 'metrics';
const answerMs = 5000;

/** In a worker: hands its metrics to the primary, whenever that asks for them and when it stops. */
export function reportMetrics(registry: Registry): Service {
  async function report(): Promise<void> {
    const metrics = await registry.getMetricsAsJSON();
    if (process.connected) process.send?.({ metrics });
  }
  return {
    async start() {
      process.on('message', (message) => {
        // Without an answer, the primary says so.
        if (message === question) report().catch(() => {});
      });
      // The primary asks only those that have reported before.
      await report();
    },
    stop: report,
  };
}

/**
 * In the primary: reads the metrics of all workers, as text. Counters and histograms are added up, with those of workers
 * that have ended: Prometheus would take a fall for a restart, and count everything once more.
 */
export function collectMetrics(): () => Promise<string> {
  const latest = new Map<Worker, Series[]>();
  let ended: object[] = [];
  const heardOf = new EventEmitter().setMaxListeners(0);
  cluster.on('message', (worker, message) => {
    if (!isReport(message)) return;
    latest.set(worker, message.metrics);
    heardOf.emit(`${worker.id}`);
  });
  // Not at its exit, after which its last messages may come.
  cluster.on('disconnect', (worker) => {
    const counted = (latest.get(worker) ?? []).filter(({ type }) => type === 'counter' || type === 'histogram');
    latest.delete(worker);
    ended = AggregatorRegistry.aggregate([ended, counted]).getMetricsAsArray();
    heardOf.emit(`${worker.id}`);
  });

  async function ask(worker: Worker): Promise<void> {
    if (!worker.isConnected()) return;
    const answered = once(heardOf, `${worker.id}`, { signal: AbortSignal.timeout(answerMs) });
    worker.send(question);
    await answered.catch(() => {
      throw new Error(`worker ${worker.process.pid} did not answer within ${answerMs / 1000} s`);
    });
  }

  return async () => {
    await Promise.all([...latest.keys()].map(ask));
    return AggregatorRegistry.aggregate([...latest.values(), ended]).metrics();
  };
}

function isReport(message: unknown): message is { metrics: Series[] } {
  return typeof message === 'object' && message !== null && 'metrics' in message;
}
