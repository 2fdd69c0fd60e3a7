import type { Command } from '../../../cli/command.ts';
import { now } from '../../../clock.ts';
import { endOf } from '../../../session/lifetime.ts';
import { tagOf } from '../../../session/session-id.ts';
import { isBindingInForce } from '../../../shared/session-binding.ts'; // feature: bound-sessions
import { currentLimits } from '../cut-off.ts';
import { clientAddresses, History } from '../history.ts';
import { readAddress } from '../operands.ts';
import { readSessions } from '../session-keys.ts';
import { countText, tableText, timeText } from '../text.ts';

/** Lists the sessions of an address. */
export const sessions: Command = {
  usage: ['sessions ADDRESS'],
  about: 'list the sessions of an address',
  operands: [1, 1],
  async run({ operands: [typed] }, { open }) {
    const email = readAddress(typed);
    const { config, keyspace, redis } = await open();
    const addresses = clientAddresses(await new History(redis).read(tagOf(email)));
    const limits = await currentLimits(redis, config.sessionLimits);
    const found = await readSessions(keyspace, tagOf(email));
    const live = found.filter((session) => endOf(session, limits) > now()).sort((a, b) => b.lastSeenAt - a.lastSeenAt);
    const headings = ['SESSION', 'DEVICE', 'SIGNED IN FROM', 'SIGNED IN', 'LAST SEEN'];
    headings.push('BOUND'); // feature: bound-sessions
    const rows = live.map((session) => {
      const { handle, device = '', signedInAt, lastSeenAt } = session;
      const row = [handle, device, addresses.get(handle) ?? '-', timeText(signedInAt), timeText(lastSeenAt)];
      row.push(isBindingInForce(session.binding) ? 'yes' : '-'); // feature: bound-sessions
      return row;
    });
    const table = tableText([headings, ...rows]);
    return {
      text: `${email} has ${countText(live.length, 'session')}.\n${live.length > 0 ? table : ''}`,
      json: {
        address: email,
        sessions: live.map((session) => ({
          session: session.handle,
          device: session.device,
          signedInFrom: addresses.get(session.handle),
          signedInAt: new Date(session.signedInAt),
          lastSeenAt: new Date(session.lastSeenAt),
          isBound: isBindingInForce(session.binding), // feature: bound-sessions
        })),
      },
    };
  },
};
