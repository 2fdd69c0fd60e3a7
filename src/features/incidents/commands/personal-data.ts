import type { Command } from '../../../cli/command.ts';
import { tagOf } from '../../../session/session-id.ts';
import { deleteKeys } from '../keyspace.ts';
import { readAddress } from '../operands.ts';
import { findPersonalRecords } from '../personal-data.ts';
import { countText } from '../text.ts';

/** Prints all that is held about an address. */
export const exportCommand: Command = {
  usage: ['export ADDRESS'],
  about: 'print all that is held about an address, as JSON',
  operands: [1, 1],
  async run({ operands: [typed] }, { openToAct }) {
    const email = readAddress(typed);
    const opened = await openToAct();
    const held: Record<string, object[]> = {};
    for await (const { kind, endsAt, data } of findPersonalRecords(email, opened)) {
      held[kind] = [...(held[kind] ?? []), { ...data, endsAt }];
    }
    await opened.report({ command: 'export', person: tagOf(email) });
    const json = { address: email, tag: tagOf(email), held };
    return { text: `${JSON.stringify(json, null, 2)}\n`, json };
  },
};

/** Deletes all that is held about an address. */
export const forget: Command = {
  usage: ['forget ADDRESS'],
  about: 'delete all that is held about an address',
  asksFirst: 'forget',
  operands: [1, 1],
  async run({ operands: [typed] }, { openToAct, confirm }) {
    const email = readAddress(typed);
    await confirm(`Delete all that is held about ${email}, and end its sessions?`);
    const opened = await openToAct();
    const deleted: Record<string, number> = {};
    for await (const { kind, batch, forget } of findPersonalRecords(email, opened)) {
      await forget();
      await deleteKeys(batch);
      deleted[kind] = (deleted[kind] ?? 0) + 1;
    }
    await opened.report({ command: 'forget', person: tagOf(email), deleted });
    const total = Object.values(deleted).reduce((sum, count) => sum + count, 0);
    const lines = Object.entries(deleted).map(([kind, count]) => `  ${kind}: ${count}\n`);
    return {
      text: `Deleted ${countText(total, 'record')} of ${email}.\n${lines.join('')}`,
      json: { address: email, deleted },
    };
  },
};
