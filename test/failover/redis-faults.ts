import type { RedisFault } from '../support/redis-fault.ts';

export const faults: RedisFault[] = [
  {
    name: 'link black-holed',
    begin: ({ link }) => link.blackHole(),
    lastsMs: 10_000,
    end: ({ link }) => link.release(),
  },
];

/** Per fault, besides "Redis lost": an outage is logged as it begins, for each of its reasons, not once per request. */
export const maxAlarms = 2;
