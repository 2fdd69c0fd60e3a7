import { featureSettings } from '../../settings/feature.ts';
import type { RedisPermissions } from '../../shared/redis-permissions.ts';

export const incidentsSettings = featureSettings({
  title: 'Incidents',
  settings: {},
  redisPermissions: {
    commands: {
      eval: 'script 1 KEY',
      exists: 'KEY',
      get: 'KEY',
      lpop: 'KEY',
      set: 'KEY value',
      subscribe: 'KEY',
      time: '',
      zmscore: 'KEY member',
    },
    keys: ['blocks', 'cut-off', 'h:{tag}', 'operator-log', 'probe:id'],
  },
  read: () => ({}),
});

/** What the operator's commands ask of Redis besides. The app itself never scans. */
export const commandPermissions: RedisPermissions['commands'] = {
  expire: 'KEY 60',
  hgetall: 'KEY',
  lrange: 'KEY 0 -1',
  ltrim: 'KEY 0 1',
  mget: 'KEY',
  pexpire: 'KEY 1000',
  pexpiretime: 'KEY',
  publish: 'KEY message',
  rpush: 'KEY value',
  scan: '0',
  set: 'KEY value',
  smembers: 'KEY',
  type: 'KEY',
  unlink: 'KEY',
  zadd: 'KEY 0 member',
  zrange: 'KEY 0 -1',
  zrem: 'KEY member',
  zremrangebyscore: 'KEY 0 1',
};
