/**
 * The first line of a script that writes a few bytes even when `maxmemory` is reached: for an operator, whose command may
 * stop what has filled Redis; to note that something is over; or to deliver mail, which makes room.
 */
export const evenWhenFull = '#!lua flags=allow-oom';
