import type { Command } from '../../../cli/command.ts';
import { tagOf } from '../../../session/session-id.ts';
import { History } from '../history.ts';
import { readAddress } from '../operands.ts';
import { tableText, timeText } from '../text.ts';

/** Shows what happened to the last sign-ins and mails of an address. */
export const why: Command = {
  usage: ['why ADDRESS'],
  about: 'show what happened to the last sign-ins and mails of an address',
  operands: [1, 1],
  async run({ operands: [typed] }, { open }) {
    const email = readAddress(typed);
    const { redis } = await open();
    const entries = await new History(redis).read(tagOf(email));
    const rows = entries.map(({ at, times, request, what }) => {
      return [timeText(at), times === 1 ? what : `${what} (${times} times)`, request];
    });
    const nothing = `Nothing has happened to ${email} in the last seven days.\n`;
    return {
      text: rows.length === 0 ? nothing : tableText([['WHEN', 'WHAT', 'REQUEST'], ...rows]),
      json: { address: email, events: entries.map((entry) => ({ ...entry, at: new Date(entry.at) })) },
    };
  },
};
