import type { Command } from '../../../cli/command.ts';
import { now } from '../../../clock.ts';
import { endOf } from '../../../session/lifetime.ts';
import { decode } from '../../../session/record.ts';
import { currentLimits } from '../cut-off.ts';
import { readTexts } from '../keyspace.ts';
import { sessionIdOf } from '../session-keys.ts';
import { countText, tableText } from '../text.ts';

const minuteMs = 60_000;
const periods = [
  { name: '5 minutes', ms: 5 * minuteMs },
  { name: 'hour', ms: 60 * minuteMs },
  { name: 'day', ms: 24 * 60 * minuteMs },
  { name: 'week', ms: 7 * 24 * 60 * minuteMs },
];

/** Counts the live sessions, and the addresses that have any. */
export const count: Command = {
  usage: ['count'],
  about: 'count live sessions and addresses, by when they signed in and were last seen',
  operands: [0, 0],
  async run(_given, { open }) {
    const { config, keyspace, redis } = await open();
    const limits = await currentLimits(redis, config.sessionLimits);
    const at = now();
    let sessions = 0;
    const addresses = new Set<string>();
    const within = periods.map((period) => ({ ...period, signedIn: 0, lastSeen: 0 }));
    for await (const { node, keys } of keyspace.scanAll()) {
      const ids = keys.map((key) => sessionIdOf(keyspace.nameOf(key)));
      const sessionKeys = keys.filter((_, position) => ids[position] !== undefined);
      if (sessionKeys.length === 0) continue;
      for (const record of await readTexts({ node, keys: sessionKeys })) {
        const session = record === null ? undefined : decode(record);
        if (session?.email === undefined || endOf(session, limits) <= at) continue;
        addresses.add(session.email);
        sessions += 1;
        for (const period of within) {
          if (at - session.signedInAt <= period.ms) period.signedIn += 1;
          if (at - session.lastSeenAt <= period.ms) period.lastSeen += 1;
        }
      }
    }
    const rows = within.map(({ name, signedIn, lastSeen }) => [`in the last ${name}`, `${signedIn}`, `${lastSeen}`]);
    return {
      text: `${countText(sessions, 'live session')} of ${addresses.size} address${addresses.size === 1 ? '' : 'es'}\n${tableText([['', 'SIGNED IN', 'LAST SEEN'], ...rows])}`,
      json: {
        sessions,
        addresses: addresses.size,
        within: within.map(({ ms, signedIn, lastSeen }) => ({ seconds: ms / 1000, signedIn, lastSeen })),
      },
    };
  },
};
