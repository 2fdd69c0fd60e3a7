import { createApp, openRedis } from '../app.ts';
import type { Config } from '../config.ts';
import type { Core } from '../core.ts';
import { findRedis, findSecrets } from '../development-defaults.ts';
import { channel } from '../features/incidents/incidents.ts';
import { Keyspace } from '../features/incidents/keyspace.ts';
import { OperatorLog } from '../features/incidents/operator-log.ts';
import { createLogger } from '../log.ts';
import type { Operations } from '../shared/operations.ts';
import type {} from '../shared/redis-client.ts';
import type { Actor } from './actor.ts';
import { withCause } from './command.ts';
import { confirm } from './confirm.ts';

/** The app's own parts, and all of its Redis. */
export type Opened = Core &
  Operations & {
    keyspace: Keyspace;
    /** Writes what was done to the app's log, and lets all processes look at what has changed. */
    report: (about: { command: string } & Record<string, unknown>) => Promise<void>;
  };

/** What a command works with. */
export type Operator = {
  config: Config;
  actor: Actor;
  /** The app's own parts, on its Redis; opened when first asked for. */
  open: () => Promise<Opened>;
  /** What there was to warn of so far: in the settings, and in the start's checks of Redis. */
  warnings: () => string[];
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
  const closers: (() => Promise<void>)[] = [];
  let opening: Promise<Opened> | undefined;

  async function open(): Promise<Opened> {
    const development = config.production ? undefined : await import('../dev/index.ts');
    const { target, stop } = await findRedis(config, development);
    closers.push(stop);
    const { client: redis } = await openRedis(target, { config, log });
    closers.push(async () => redis.destroy());
    const secrets = findSecrets(config, development);
    // Put together like the server's, but nothing is started: neither the app listens nor do its services run.
    const { core } = createApp({ config, secrets, redis, log, isClosing: () => false, development });
    if (!core.operations) throw new Error('createApp() did not set core.operations');
    const keyspace = new Keyspace(redis.nodes, redis.keyPrefix);
    const operatorLog = new OperatorLog(redis);
    return {
      ...core,
      ...core.operations,
      keyspace,
      async report(about) {
        await operatorLog.add({ ...about, actor, at: Date.now() });
        await keyspace.publish(channel);
      },
    };
  }

  return {
    config,
    actor,
    open: () => {
      opening ??= open();
      return opening;
    },
    warnings: () => heard,
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
