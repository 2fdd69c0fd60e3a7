/**
 * The first line of a script that writes a few bytes for an operator, also when `maxmemory` is reached: what filled Redis
 * may be what the command is to stop.
 */
export const evenWhenFull = '#!lua flags=allow-oom';
