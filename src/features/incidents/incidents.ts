import type { RequestHandler } from 'express';
import type { Core, Service } from '../../core.ts';
import { HttpError } from '../../http/http-error.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { auditRefused } from '../../session/sign-in.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import type {} from '../../shared/redis-client.ts';
import type { IpDetail } from '../../shared/shown-ip.ts';
import { announceOutcomes } from '../../shared/sign-in-outcomes.ts';
import { Blocks } from './blocks.ts';
import { CutOff } from './cut-off.ts';
import { History, historyKeys } from './history.ts';
import { OperatorLog } from './operator-log.ts';
import { answerProbe } from './probe.ts';

export type Incidents = {
  /** When a session must have signed in at the earliest; milliseconds since the epoch. */
  minSignedInAt: () => number;
  /** Refuses to sign anybody in from a blocked network, before anything is counted. */
  refuseBlocked: RequestHandler;
  /** Answers `latchkey doctor`, below `/doctor`. */
  answerProbe: RequestHandler;
  personalKeys: PersonalKeys[];
  service: Service;
};

type Followed = { redis: RedisClient; log: Logger; cutOff: CutOff; blocks: Blocks };

/** The channel on which `latchkey` tells the app to look at what it has left in Redis. */
export const channel = 'operator';
const retryMs = 250;

/** What the operator's commands ask of the running app. */
export function openIncidents({ redis, log, ipDetail = 'full' }: Core): Incidents {
  const cutOff = new CutOff(redis);
  const blocks = new Blocks(redis);
  announceOutcomes('blocked');
  return {
    minSignedInAt: () => cutOff.minSignedInAt,
    refuseBlocked: refuseBlocked(blocks, log),
    answerProbe: answerProbe(redis),
    personalKeys: [historyKeys],
    service: follow({ redis, log, cutOff, blocks }, ipDetail),
  };
}

/** Every request that signs somebody in, in whichever way, is a POST below `/login`. */
function refuseBlocked(blocks: Blocks, log: Logger): RequestHandler {
  return async function refuseBlocked(req, _res, next) {
    if (req.method === 'POST' && (await blocks.isBlocked(req.ip))) {
      auditRefused(log, req, 'blocked');
      throw new HttpError(403, 'Logging in from your network is not possible at the moment. Please try again later.');
    }
    next();
  };
}

/**
 * Reads the cut-off, drains the operator's log and forgets what it knew of the blocks: whenever a command publishes, and
 * on each new connection before any other command, so that nothing announced during an outage is missed.
 */
function follow({ redis, log, cutOff, blocks }: Followed, ipDetail: IpDetail): Service {
  const operatorLog = new OperatorLog(redis);
  const history = new History(redis);
  let isStopped = false;
  let first: Promise<void> | undefined;

  async function look(): Promise<void> {
    await cutOff.read();
    await operatorLog.drainTo(log);
  }
  function lookSoon(): void {
    blocks.mayHaveChanged();
    look().catch(() => {
      if (!isStopped) setTimeout(lookSoon, retryMs).unref();
    });
  }
  function greet(): void {
    // The library subscribes again by itself when it reconnects.
    const told = redis.subscribe(channel, lookSoon);
    blocks.follow(told);
    redis.on('ready', lookSoon);
    redis.on('node-ready', lookSoon);
    const looked = look();
    first ??= looked;
    Promise.all([told, looked]).catch(() => {
      if (!isStopped) setTimeout(lookSoon, retryMs).unref();
    });
  }

  return {
    async start() {
      redis.onConnect?.(greet);
      greet();
      await first?.catch(() => {});
      history.start(log, ipDetail);
    },
    async stop() {
      isStopped = true;
      await history.stop();
    },
  };
}
