import type { Command } from '../../../cli/command.ts';
import { handleOf, tagOf } from '../../../session/session-id.ts';
import { readAddress } from '../operands.ts';
import { findSessionIds } from '../session-keys.ts';
import { countText, tableText, timeText } from '../text.ts';

/** Lists the sessions of an address. */
export const sessions: Command = {
  usage: ['sessions ADDRESS'],
  about: 'list the sessions of an address',
  operands: [1, 1],
  async run({ operands: [typed] }, { open }) {
    const email = readAddress(typed);
    const { store, keyspace } = await open();
    const ids = await findSessionIds(keyspace, tagOf(email));
    const found = await Promise.all(ids.map(async (id) => ({ handle: handleOf(id), session: await store.peek(id) })));
    const live = found
      .flatMap(({ handle, session }) => (session ? { ...session, handle } : []))
      .sort((a, b) => b.lastSeenAt - a.lastSeenAt);
    const rows = live.map(({ handle, device = '', signedInAt, lastSeenAt }) => {
      return [handle, device, timeText(signedInAt), timeText(lastSeenAt)];
    });
    const table = tableText([['SESSION', 'DEVICE', 'SIGNED IN', 'LAST SEEN'], ...rows]);
    return {
      text: `${email} has ${countText(live.length, 'session')}.\n${live.length > 0 ? table : ''}`,
      json: {
        address: email,
        sessions: live.map(({ handle, device, signedInAt, lastSeenAt }) => ({
          session: handle,
          device,
          signedInAt: new Date(signedInAt),
          lastSeenAt: new Date(lastSeenAt),
        })),
      },
    };
  },
};
