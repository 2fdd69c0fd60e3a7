import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, openRedis } from './app.ts';
import { type Config, ConfigError, readConfig, sources } from './config.ts';
import { formatLog } from './features/log-format/log-format.ts';
import { workerMetrics } from './features/metrics/metrics.ts';
import { createNonBlockingLogger } from './features/non-blocking-log/non-blocking-log.ts';
import { workers } from './features/workers/supervisor.ts';
import { shutDownGracefully } from './graceful-shutdown.ts';
import { announceClosing, closeHttpServer, listen, portOf } from './http/http-server.ts';
import { createLogger, type Logger, type LoggerOptions } from './log.ts';
import type { RedisClient } from './redis/client.ts';
import { withDeadline } from './redis/deadline.ts';

const redisCloseDeadlineMs = 400;

type Closers = (() => Promise<void>)[];

/** How to close what is open. Added in the order of opening, run in reverse. */
const closers: Closers = [];
let closing: Promise<void> | undefined;
/** From the first signal on. */
let isClosing = false;
const main = { serve, isClosing: () => isClosing, isPrimary: true, createLogger, sayFailure: console.error };
main.createLogger = createNonBlockingLogger;
main.serve = workers.supervise(serve, { readSettings: () => readSettings().config });
main.isClosing = workers.unlessRetiring(main.isClosing);
main.isPrimary = workers.isPrimary; // The workers read the same settings, and would log the same warnings.
main.sayFailure = workers.sayFailure;
workers.beside.push(workerMetrics);

void start(); // A function, because the bundle is CommonJS, which has no top-level await.

async function start(): Promise<void> {
  try {
    const { config, log } = readSettings();
    // Begins after signals are heard: one may come while Redis is being started, which must not be left behind.
    const starting = Promise.resolve().then(() => main.serve(config, log, closers));
    const close = () => {
      isClosing = true;
      return starting.catch(() => {}).then(closeAll);
    };
    shutDownGracefully(log, close, config.shutdownDelaySeconds);
    await starting;
  } catch (error) {
    // If a signal interrupts the start, its failure is not reported: the shutdown under way closes everything.
    if (isClosing) return;
    main.sayFailure(error instanceof ConfigError ? error.message : `Latchkey can't start: ${explainFailure(error)}`);
    await closeAll().catch(() => {});
    process.exit(1);
  }
}

function readSettings(): { config: Config; log: Logger } {
  const { env, problems, warnings } = sources.read(process.env);
  const config = readConfig(env, problems);
  const format: LoggerOptions = {};
  Object.assign(format, formatLog(config));
  const log = main.createLogger(config.logLevel, undefined, format);
  if (main.isPrimary) for (const { about, message } of warnings) log.warn(about, message);
  return { config, log };
}

async function serve(config: Config, log: Logger, closers: Closers): Promise<void> {
  const development = config.production ? undefined : await import('./dev/index.ts');
  const { redis: target, sessionSecrets: secrets } = development ? await development.fillIn(config, closers) : config;
  if (!target || !secrets) throw new Error('REDIS_URL or SESSION_SECRET is missing');
  const { client: redis } = await openRedis(target, { config, log });
  closers.push(() => closeRedis(redis));
  const { server, services } = createApp({ config, secrets, redis, log, isClosing: main.isClosing, development });
  for (const service of services) {
    await service.start?.();
    closers.push(async () => service.stop?.());
  }
  if (isClosing) return;
  await listen(server, config.port, config.host);
  closers.push(async () => {
    announceClosing(server);
    if (config.production) await sleep(config.shutdownDelaySeconds * 1000);
    const cutOff = await closeHttpServer(server);
    if (cutOff > 0) log.warn({ connections: cutOff }, 'closed connections whose requests did not end');
  });
  announce(server, config, log);
}

function closeAll(): Promise<void> {
  closing ??= (async () => {
    const failures: unknown[] = [];
    for (const close of closers.toReversed()) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  })();
  return closing;
}

// Closing politely would hang on a frozen Redis, and fail on a lost one.
async function closeRedis(redis: RedisClient): Promise<void> {
  try {
    await withDeadline(redisCloseDeadlineMs, redis.close());
  } catch {
    redis.destroy();
  }
}

function announce(server: Server, config: Config, log: Logger): void {
  const port = portOf(server);
  const url = config.origin ?? `http://${hostToOpen(config.host)}:${port}`;
  if (config.signIn === 'trust') log.warn('SIGN_IN=trust: anyone can sign in with any address');
  log.info({ address: config.host, port, url }, 'listening');
  if (!config.production) console.log(`Latchkey is ready: open ${url}`);
}

function hostToOpen(host: string): string {
  if (['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function explainFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
