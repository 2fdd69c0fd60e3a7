import cluster from 'node:cluster';
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import type http from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Config } from '../../config.ts';
import type { Core, Service } from '../../core.ts';
import { redisCalls, signIns } from '../../diagnostics.ts';
import { createHttpServer, listen, portOf } from '../../http/http-server.ts';
import type { Logger } from '../../log.ts';
import { securityHeaders } from '../../middleware/security-headers.ts';
import { projectDirectory } from '../../project-directory.ts';
import { headerValues } from '../../shared/header-values.ts';
import { announceOutcomes, possibleOutcomes } from '../../shared/sign-in-outcomes.ts';
import { showFigures } from './figures.ts';
import { countSessions } from './session-count.ts';
import { collectMetrics, reportMetrics } from './worker-metrics.ts';

const packageFile = new URL('package.json', projectDirectory);

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

type Exchange = {
  server: http.Server;
  request: http.IncomingMessage & { baseUrl?: string; route?: { path: string } };
  response: http.ServerResponse;
};

/** Routes of which these answers are shown from the start, at zero: a rate can't see the first one otherwise. */
const awaitedAnswers: [method: string, route: string, ...statuses: number[]][] = [
  ['GET', '/', 200, 500, 503],
  ['GET', '/login', 200, 500, 503],
  ['POST', '/login', 303, 422, 429, 500, 503],
  ['GET', '/admin', 200, 500, 503],
  ['POST', '/logout', 303, 500, 503],
  // What is refused or fails before its route is found.
  ['GET', 'other', 401, 404, 500, 503],
  ['POST', 'other', 403, 500, 503],
];

/** Others are counted together, as `other`. */
const redisCommands = ['get', 'set', 'del', 'eval', 'time', 'ping', 'subscribe'];
redisCommands.push('evalsha'); // feature: performance

/**
 * What Prometheus reads of this process: its requests, sign-ins and calls to Redis, and what Node says of itself
 * (memory, event loop, garbage). It listens to diagnostics channels, which cost nothing where nobody does.
 * @param isClosing whether the process is about to stop
 * @param except a server whose requests are not measured
 */
export function measure(isClosing: () => boolean, except?: http.Server): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requestSeconds = new Histogram({
    name: 'latchkey_request_seconds',
    help: 'Requests, by method, route and status',
    labelNames: ['method', 'route', 'status'] as const,
    ...{ buckets, registers },
  });
  for (const [method, route, ...statuses] of awaitedAnswers) {
    for (const status of statuses) requestSeconds.zero({ method, route, status });
  }
  const startedAt = new WeakMap<http.IncomingMessage, number>();
  subscribe('http.server.request.start', (message) => {
    startedAt.set((message as Exchange).request, performance.now());
  });
  subscribe('http.server.response.finish', (message) => {
    const { request, response, server: by } = message as Exchange;
    if (by === except) return;
    const seconds = (performance.now() - (startedAt.get(request) ?? performance.now())) / 1000;
    // Not the path, which visitors choose: each would become a time series.
    const route = request.route ? `${request.baseUrl ?? ''}${request.route.path}` : 'other';
    // A process that is about to stop answers 503 there on purpose, which must not raise an alert.
    if (route === '/readyz' && isClosing()) return;
    requestSeconds.observe({ method: request.method ?? '', route, status: response.statusCode }, seconds);
  });

  const redisCallSeconds = new Histogram({
    name: 'latchkey_redis_call_seconds',
    help: 'Calls to Redis as this process sees them; ok="false" failed or ran out of time',
    labelNames: ['ok'] as const,
    ...{ buckets, registers },
  });
  for (const ok of ['true', 'false']) redisCallSeconds.zero({ ok });
  const callStartedAt = new WeakMap<object, number>();
  redisCalls.start.subscribe((call) => void callStartedAt.set(call as object, performance.now()));
  redisCalls.asyncEnd.subscribe((call) => {
    const seconds = (performance.now() - (callStartedAt.get(call as object) ?? performance.now())) / 1000;
    redisCallSeconds.observe({ ok: String(!('error' in (call as object))) }, seconds);
  });
  countRedisCommands(registry);

  const signInCount = new Counter({
    name: 'latchkey_sign_ins_total',
    help: 'Sign-ins, by what became of them',
    labelNames: ['outcome'] as const,
    registers,
  });
  possibleOutcomes.subscribe((outcome) => signInCount.inc({ outcome }, 0));
  signIns.subscribe(({ outcome }) => signInCount.inc({ outcome }));
  const build = { version: JSON.parse(readFileSync(packageFile, 'utf8')).version, node: process.version };
  new Gauge({
    name: 'latchkey_build_info',
    help: 'Always 1; the labels say which versions run',
    labelNames: ['version', 'node'] as const,
    aggregator: 'max',
    registers,
  }).set(build, 1);
  showFigures(registry);
  return registry;
}

/** Counts what this process asks of Redis, including what no visitor waits for, as its client reports it. */
function countRedisCommands(registry: Registry): void {
  const commands = new Counter({
    name: 'latchkey_redis_commands_total',
    help: 'Commands sent to Redis, including those in the background; ok="false" failed',
    labelNames: ['command', 'ok'] as const,
    registers: [registry],
  });
  for (const command of [...redisCommands, 'other']) {
    for (const ok of ['true', 'false']) commands.inc({ command, ok }, 0);
  }
  subscribe('tracing:node-redis:command:asyncEnd', (message) => {
    const { command, error } = message as { command: string; error?: unknown };
    const name = command.toLowerCase();
    commands.inc({ command: redisCommands.includes(name) ? name : 'other', ok: String(error === undefined) });
  });
}

/**
 * Serves `/metrics` at `METRICS_HOST` and `METRICS_PORT`, which visitors must not reach. A worker only hands its metrics
 * to the primary; see {@link workerMetrics}.
 */
export function serveMetrics(core: Core, isClosing: () => boolean): Service {
  const { config, log } = core;
  if (config.metrics.port === undefined) return {};
  if (cluster.isWorker) {
    const reporter = reportMetrics(measure(isClosing));
    announceTrust(config);
    return together(reporter, countSessions(core));
  }
  const service = serve(config, log, () => registry.metrics());
  const registry = measure(isClosing, service.server);
  announceTrust(config);
  return together(service, countSessions(core));
}

/** Announces the outcomes of the core's own way to sign in. */
function announceTrust({ signIn }: Config): void {
  if (signIn === 'trust') announceOutcomes('signed in', 'not an address', 'not in ALLOWED_EMAILS');
}

function together(...services: Service[]): Service {
  return {
    async start() {
      for (const { start } of services) await start?.();
    },
    async stop() {
      await Promise.all(services.map(({ stop }) => stop?.()));
    },
  };
}

/**
 * The metrics of all workers together, which the primary serves where these settings say.
 * @public for whatever starts workers
 */
export const workerMetrics = {
  open: serveWorkerMetrics,
  settings: {
    METRICS_PORT: ({ metrics }: Config) => metrics.port,
    METRICS_HOST: ({ metrics }: Config) => metrics.host,
  },
};

function serveWorkerMetrics(config: Config, log: Logger): Service {
  if (config.metrics.port === undefined) return {};
  return serve(config, log, collectMetrics());
}

function serve({ metrics }: Config, log: Logger, read: () => Promise<string>): Service & { server: http.Server } {
  const { host, port = 0 } = metrics;
  const headers = headerValues(securityHeaders({ https: false }));
  const server = createHttpServer(async (req, res) => {
    // Scrapers add parameters (`params` in prometheus.yml).
    if (req.url?.split('?', 1)[0] !== '/metrics') {
      res.writeHead(404, headers).end();
      return;
    }
    try {
      const text = await read();
      res.writeHead(200, { ...headers, 'Content-Type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text);
    } catch (err) {
      // Such as a worker that does not answer. Prometheus asks again.
      log.warn({ err }, 'metrics could not be read');
      res.writeHead(503, headers).end();
    }
  });
  return {
    server,
    async start() {
      await listen(server, port, host, 'METRICS_');
      log.info({ address: host, port: portOf(server) }, 'metrics are served');
    },
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
