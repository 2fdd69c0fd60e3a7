import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from './app.ts';
import { type Config, ConfigError, readConfig, type SessionSecrets } from './config.ts';
import { MailCatcher } from './dev/mail-catcher.ts';
import { startPrivateRedis } from './dev/private-redis.ts';
import { type Mail, Mailer, smtpTransport } from './features/mail/mailer.ts';
import { createMetricsServer, measure } from './features/metrics/metrics.ts';
import { shutDownGracefully } from './graceful-shutdown.ts';
import { announceClosing, closeHttpServer, createHttpServer } from './http/http-server.ts';
import { createLogger, type Logger } from './log.ts';
import { connectRedis, type RedisAddress, type RedisClient, withDeadline } from './redis/connect.ts';

const dataDirectory = '.data';
/** How long a balancer has to see that this process is not ready, before it stops listening. */
const closingNoticeMs = 1000;
const redisCloseDeadlineMs = 400;

/** What is open, in the order in which it was opened. */
const closers: (() => Promise<void>)[] = [];
let closing: Promise<void> | undefined;

try {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  // Begins after signals are heard: one may come while Redis is being started, which must not be left behind.
  const starting = Promise.resolve().then(() => start(config, log));
  shutDownGracefully(log, () => starting.catch(() => {}).then(closeAll));
  announce(await starting, config, log);
} catch (error) {
  if (error instanceof ConfigError) console.error(error.message);
  else console.error(`Latchkey can't start: ${explainFailure(error)}`);
  await closeAll();
  process.exit(1);
}

async function start(config: Config, log: Logger): Promise<Server> {
  const redis = await connectRedis(await redisAddress(config), log);
  closers.push(() => closeRedis(redis));
  const secrets = config.sessionSecrets ?? keptSecrets();
  const mail = config.signIn === 'code' ? openMail(config, log) : {};
  const app = createApp({ config, secrets, redis, log, ...mail, isClosing: () => closing !== undefined });
  const server = createHttpServer(app);
  if (config.metricsPort !== undefined) await serveMetrics(server, config.metricsPort, config.host, log);
  await listen(server, config.port, config.host);
  closers.push(async () => {
    announceClosing(server);
    if (config.production) await sleep(closingNoticeMs);
    const cutOff = await closeHttpServer(server);
    if (cutOff > 0) log.warn({ connections: cutOff }, 'closed connections whose requests did not end');
  });
  return server;
}

async function redisAddress(config: Config): Promise<RedisAddress> {
  if (config.redisUrl !== undefined) return { url: config.redisUrl };
  const redis = await startPrivateRedis(join(dataDirectory, 'redis'));
  closers.push(redis.stop);
  return redis;
}

function openMail(config: Config, log: Logger): { mailer: Mailer; caughtMails?: Mail[] } {
  if (config.smtpUrl !== undefined) {
    const mailer = new Mailer(smtpTransport(config.smtpUrl, config.mailFrom), log);
    closers.push(() => mailer.close());
    return { mailer };
  }
  const catcher = new MailCatcher();
  return { mailer: new Mailer(catcher, log), caughtMails: catcher.mails };
}

async function serveMetrics(measured: Server, port: number, host: string, log: Logger): Promise<void> {
  const server = createMetricsServer(measure(measured));
  await listen(server, port, host);
  log.info({ host, port: portOf(server) }, 'metrics are served');
  closers.push(async () => {
    server.close();
    server.closeAllConnections();
  });
}

function closeAll(): Promise<void> {
  closing ??= (async () => {
    for (const close of closers.toReversed()) await close();
  })();
  return closing;
}

// A frozen Redis would be waited for without end, and one that is away can't be told anything.
async function closeRedis(redis: RedisClient): Promise<void> {
  try {
    await withDeadline(redisCloseDeadlineMs, redis.close());
  } catch {
    redis.destroy();
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done();
    });
  });
}

function announce(server: Server, config: Config, log: Logger): void {
  const port = portOf(server);
  const url = config.origin ?? `http://${hostToOpen(config.host)}:${port}`;
  if (config.signIn === 'trust') log.warn('SIGN_IN=trust: whoever types an address is believed to own it');
  log.info({ host: config.host, port, url }, 'listening');
  if (config.signIn === 'code' && config.smtpUrl === undefined)
    log.warn(`no SMTP_URL: mail is caught, read it at ${url}/dev/mails`);
  if (!config.production) console.log(`Latchkey is ready: open ${url}`);
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function hostToOpen(host: string): string {
  if (['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

// In development the secret is made once and kept, so that sessions survive a restart. Of two processes that
// start at once, one makes it for both.
function keptSecrets(): SessionSecrets {
  const file = join(dataDirectory, 'session-secret');
  if (!existsSync(file)) {
    mkdirSync(dataDirectory, { recursive: true });
    const draft = `${file}-${process.pid}`;
    writeFileSync(draft, randomBytes(32).toString('hex'), { mode: 0o600 });
    try {
      linkSync(draft, file);
    } catch (error) {
      if (!existsSync(file)) throw error;
    } finally {
      rmSync(draft);
    }
  }
  return [readFileSync(file, 'utf8').trim()];
}

function explainFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' && code === 'EADDRINUSE') return `${error.message}. Stop the other program, or set PORT.`;
  if (syscall === 'listen') return `${error.message}. Set HOST and PORT to where this user may listen.`;
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
