import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply } from 'redis';
import type { Core } from '../../core.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, type RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import { endScript } from '../../session/scripts.ts';
import { memberOf, tagIn } from '../../session/session-id.ts';
import type {} from '../../shared/redis-client.ts';

type Channel = {
  followers: number;
  /** Rejected while the channel has followers and no subscription. */
  settled: Promise<unknown>;
  isRetrying: boolean;
};
type Sharded = NonNullable<RedisClient['sharded']>;

type Listeners = {
  /** Told of the digest of each session that was ended. */
  onEnded: (digest: string) => void;
  /** Told when messages may have been missed. */
  onGap: () => void;
};

/** The ends of sessions, wherever they were ended, as this process hears of them. */
export type Announcements = {
  /** Takes the place of the core's script, and announces each end in the same step. */
  endScript: string;
  /**
   * Hears of this session, from when it resolves until what it returns is called.
   * @throws {RedisUnavailable}
   */
  follow: (sessionId: string) => Promise<() => void>;
  start: () => Promise<void>;
  stop: () => void;
};

const channel = 'ended';
const retryMs = 250;
/** While Redis denies it, which only the operator can change. */
const maxRetryMs = 30_000;
/** Within this time the library has subscribed again where a node has gone and another one has its slots. */
const resubscribedWithinMs = 5000;

/** How messages name a session: by a hash, which does not reveal the id. */
export function digestOf(sessionId: string): string {
  return createHash('sha1').update(memberOf(sessionId)).digest('hex');
}

/** Hears of ends over the Redis that the sessions are in. */
export function announcements(core: Pick<Core, 'redis' | 'log'>, listeners: Listeners): Announcements {
  const { redis } = core;
  return redis.sharded ? inShards(redis, redis.sharded, listeners) : onOneChannel(core, listeners);
}

function onOneChannel({ redis, log }: Parameters<typeof announcements>[0], listeners: Listeners): Announcements {
  const { onEnded, onGap } = listeners;
  let isStopped = false;
  let denials = 0;

  async function subscribe(): Promise<void> {
    try {
      await withTimeout(deadlineMs, redis.subscribe(channel, onEnded));
      denials = 0;
      onGap();
    } catch (error) {
      if (isStopped) return;
      const { cause } = error as RedisUnavailable;
      const isDenied = cause instanceof ErrorReply && cause.message.startsWith('NOPERM');
      if (isDenied && denials === 0) log.error({ err: cause }, 'tabs are not told of ended sessions: Redis denies it');
      denials = isDenied ? denials + 1 : 0;
      setTimeout(() => void subscribe(), Math.min(retryMs * 2 ** denials, maxRetryMs)).unref();
    }
  }
  function greet(): void {
    // A connection that the library opens again has its subscriptions again by then.
    redis.on('ready', onGap);
    void subscribe();
  }

  return {
    endScript: announcing(`redis.pcall('PUBLISH', '${redis.keyPrefix ?? ''}${channel}', digest)`),
    follow: async () => () => {},
    async start() {
      redis.onConnect?.(greet);
      redis.on('ready', onGap);
      await subscribe();
    },
    stop() {
      isStopped = true;
    },
  };
}

/**
 * In a Cluster, a message stays on the node that has the session. There is a channel for each address, in the slot of its
 * sessions, and a process subscribes to those of the addresses that it has streams for.
 */
function inShards(redis: RedisClient, sharded: Sharded, { onEnded, onGap }: Listeners): Announcements {
  const channels = new Map<string, Channel>();
  let isStopped = false;

  async function follow(sessionId: string): Promise<() => void> {
    const name = `{${tagIn(sessionId)}}${channel}`;
    const entry = channels.get(name) ?? { followers: 0, settled: Promise.resolve(), isRetrying: false };
    channels.set(name, entry);
    entry.followers += 1;
    const leave = () => {
      entry.followers -= 1;
      entry.settled = entry.settled.then(unsubscribe, async (error) => {
        if (entry.followers > 0) throw error;
        await unsubscribe();
      });
      entry.settled.catch(() => {});
    };
    // One after the other: the library forgets a subscription that is made while it is being ended.
    async function unsubscribe(): Promise<void> {
      if (entry.followers > 0) return;
      await withTimeout(deadlineMs, sharded.unsubscribe(name)).catch(() => {});
      if (entry.followers === 0) channels.delete(name);
    }
    if (entry.followers === 1) subscribe(name, entry);
    try {
      await entry.settled;
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** Subscribes where the library has failed to do so again; where it has not, this costs nothing. */
  async function recover(): Promise<void> {
    const followed = [...channels.entries()].filter(([, { followers }]) => followers > 0);
    await Promise.all(followed.map(([name, entry]) => resubscribe(name, entry)));
    onGap();
  }
  async function resubscribe(name: string, entry: Channel): Promise<void> {
    subscribe(name, entry);
    await entry.settled.catch(() => void retry(name, entry));
  }
  /** The library does not try again, and new streams are refused until this has succeeded. */
  async function retry(name: string, entry: Channel): Promise<void> {
    if (entry.isRetrying) return;
    entry.isRetrying = true;
    for (let waitMs = retryMs; ; waitMs = Math.min(waitMs * 2, maxRetryMs)) {
      await sleep(waitMs, undefined, { ref: false });
      if (isStopped || entry.followers === 0) break;
      subscribe(name, entry);
      const isBack = await entry.settled.then(
        () => true,
        () => false,
      );
      if (isBack) {
        onGap();
        break;
      }
    }
    entry.isRetrying = false;
  }
  function subscribe(name: string, entry: Channel): void {
    const begin = async () => {
      if (entry.followers > 0) await withTimeout(deadlineMs, sharded.subscribe(name, onEnded));
    };
    entry.settled = entry.settled.then(begin, begin);
  }

  // Beside the session's own key, from which the channel takes its prefix and its tag.
  const name = `string.sub(KEYS[position + 1], 1, -1 - #member) .. '${channel}'`;
  return {
    endScript: announcing(`redis.pcall('SPUBLISH', ${name}, digest)`),
    follow,
    async start() {
      redis.on('node-ready', () => {
        void recover();
        setTimeout(() => void recover(), resubscribedWithinMs).unref();
      });
    },
    stop() {
      isStopped = true;
    },
  };
}

/** @param publish may fail, which must not keep a session alive */
function announcing(publish: string): string {
  return `
local function finish()${endScript}
end
local ended = finish()
for position, member in ipairs(ARGV) do
  local digest = redis.sha1hex(member)
  ${publish}
end
return ended`;
}
