import { createApp, openRedis } from '../app.ts';
import { now } from '../clock.ts';
import { type Config, ConfigError } from '../config.ts';
import type { Core } from '../core.ts';
import { channel } from '../features/incidents/incidents.ts';
import { Keyspace } from '../features/incidents/keyspace.ts';
import { OperatorLog } from '../features/incidents/operator-log.ts';
import { commandPermissions } from '../features/incidents/settings.ts';
import { goByRedisClock } from '../features/redis-checks/clock-check.ts'; // feature: redis-checks
import { createLogger } from '../log.ts';
import type { Operations } from '../shared/operations.ts';
import type {} from '../shared/redis-client.ts';
import type { Actor } from './actor.ts';
import { reasonOf, withCause } from './command.ts';
import { confirm } from './confirm.ts';

/** The app's own parts, and all of its Redis. */
export type Opened = Core & Operations & { keyspace: Keyspace };

export type OpenedToAct = Opened & {
  /** Writes what was done to the app's log, and lets all processes look at what has changed. */
  report: (about: { command: string } & Record<string, unknown>) => Promise<void>;
};

/** What a command works with. */
export type Operator = {
  config: Config;
  actor: Actor;
  /** The app's own parts, on its Redis; opened when first asked for. */
  open: () => Promise<Opened>;
  /**
   * The same, for commands that are logged.
   * @throws {ConfigError} unless the Redis user may do all that they need: none may stop halfway for a lack of permission
   */
  openToAct: () => Promise<OpenedToAct>;
  /** What there was to warn of so far: in the settings, and in the start's checks of Redis. */
  warnings: () => string[];
  /** What failed although the command itself was carried out. */
  notices: () => string[];
  /** Asks before something that can't be undone, unless `--yes` is given. */
  confirm: (what: string) => Promise<void>;
  close: () => Promise<void>;
};

type Options = {
  actor: Actor;
  /** Of the settings. */
  warnings?: { about: object; message: string }[];
  /** Skip the confirmation of actions that can't be undone. */
  yes: boolean;
};

/** Standard output is for the answer, and warnings are for `latchkey doctor`: the app's own log has them already. */
export function newOperator(config: Config, { actor, warnings = [], yes }: Options): Operator {
  const heard: string[] = [];
  const log = createLogger('warn', { write: (line) => void heard.push(warningIn(JSON.parse(line))) });
  for (const { about, message } of warnings) log.warn(about, `${message}: ${Object.values(about).join(', ')}`);
  const notices: string[] = [];
  const closers: (() => Promise<void>)[] = [];
  let opening: Promise<Opened> | undefined;

  async function open(): Promise<Opened> {
    const development = config.production ? undefined : await import('../dev/index.ts');
    const { redis: target, sessionSecrets: secrets } = development ? await development.fillIn(config, closers) : config;
    if (!target || !secrets) throw new Error('REDIS_URL or SESSION_SECRET is missing');
    const { client: redis } = await openRedis(target, { config, log });
    closers.push(async () => redis.destroy());
    await goByRedisClock(redis); // feature: redis-checks
    // Put together like the server's, but nothing is started: neither the app listens nor do its services run.
    const { core } = createApp({ config, secrets, redis, log, isClosing: () => false, development });
    if (!core.operations) throw new Error('createApp() did not set core.operations');
    return { ...core, ...core.operations, keyspace: new Keyspace(redis.nodes, redis.keyPrefix) };
  }

  function openOnce(): Promise<Opened> {
    opening ??= open();
    return opening;
  }

  async function openToAct(): Promise<OpenedToAct> {
    const opened = await openOnce();
    const { keyspace, redis } = opened;
    const problem = permissionProblem(await keyspace.lacking(commandPermissions));
    if (problem !== undefined) throw new ConfigError([problem]);
    return {
      ...opened,
      async report(about) {
        await new OperatorLog(redis).add({ ...about, actor, at: now() }).catch((error: unknown) => {
          notices.push(`this is not in the app's log: ${reasonOf(error)}`);
        });
        await keyspace.publish(channel);
      },
    };
  }

  return {
    config,
    actor,
    open: openOnce,
    openToAct,
    warnings: () => heard,
    notices: () => notices,
    confirm: (what) => (yes ? Promise.resolve() : confirm(what)),
    async close() {
      for (const close of closers.toReversed()) await close();
    },
  };
}

/** What a line of the log warns of, and the reason if there was an error. */
function warningIn({ msg, err }: { msg: string; err?: { message: string; cause?: unknown } }): string {
  return err ? `${msg}: ${withCause(err)}` : msg;
}

/** What the operator has to allow, if the Redis user may not use these commands. */
export function permissionProblem(lacking: string[]): string | undefined {
  if (lacking.length === 0) return undefined;
  const rule = lacking.map((name) => `+${name}`).join(' ');
  return `the Redis user may not use ${lacking.join(', ')}, which only these commands need: allow it (${rule}), or run them with another user in REDIS_URL`;
}
