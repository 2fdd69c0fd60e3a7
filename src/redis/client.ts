import type { NodeClient } from './node.ts';

type Commands = Pick<NodeClient, 'get' | 'set' | 'mGet' | 'del' | 'hGet' | 'zRange' | 'eval' | 'ping'>;

type Queued = 'set' | 'hSet' | 'expire' | 'pExpire' | 'zAdd' | 'zCard' | 'zRemRangeByScore';

/** Commands that Redis does together; in a Cluster their keys share a hash tag. */
type Transaction = { [Name in Queued]: (...args: Parameters<NodeClient[Name]>) => Transaction } & {
  exec: () => Promise<unknown[]>;
};

/** What Latchkey asks of Redis, be it one, watched by Sentinels, or a Cluster. */
export type RedisClient = Commands & {
  multi: () => Transaction;
  /** Ends it once what was asked is answered. */
  close: () => Promise<unknown>;
  /** Ends it at once. */
  destroy: () => void;
};
