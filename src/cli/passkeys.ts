import { end as endSessions } from '../features/incidents/commands/end.ts';
import { readAddress } from '../features/incidents/operands.ts';
import { countText, tableText, timeText } from '../features/incidents/text.ts';
import { Accounts } from '../features/passkeys/accounts.ts';
import { describePasskey } from '../features/passkeys/personal-keys.ts';
import { isHandle } from '../features/passkeys/record.ts';
import { tagOf } from '../session/session-id.ts';
import type { Command } from './command.ts';

/** Lists the passkeys of an address. */
const passkeys: Command = {
  usage: ['passkeys ADDRESS'],
  about: 'list the passkeys of an address',
  operands: [1, 1],
  async run({ operands: [typed] }, { open }) {
    const email = readAddress(typed);
    const { redis } = await open();
    const account = await new Accounts(redis).load(email);
    const found = (account?.passkeys ?? []).map(describePasskey);
    const rows = found.map(({ passkey, name, provider = '', addedAt, lastUsedAt, isSynced }) => [
      ...[passkey, name, provider, isSynced ? 'yes' : 'no', timeText(addedAt.valueOf())],
      lastUsedAt ? timeText(lastUsedAt.valueOf()) : 'never',
    ]);
    const table = tableText([['PASSKEY', 'NAME', 'PROVIDER', 'SYNCED', 'ADDED', 'LAST USED'], ...rows]);
    return {
      text: `${email} has ${countText(found.length, 'passkey')}.\n${found.length > 0 ? table : ''}`,
      json: { address: email, passkeys: found },
    };
  },
};

/**
 * Removes one passkey of an address, or all. No mail is sent, since its link might help a thief; links in earlier mails no
 * longer restore a passkey.
 */
const removePasskeys: Command = {
  usage: ['remove-passkeys ADDRESS [--passkey PASSKEY]'],
  about: 'remove the passkeys of an address, or one of them',
  options: { passkey: { type: 'string' } },
  asksFirst: 'remove-passkeys',
  operands: [1, 1],
  async run({ operands: [typed], values: { passkey } }, { openToAct, confirm }) {
    const email = readAddress(typed);
    await confirm(
      passkey === undefined ? `Remove all passkeys of ${email}?` : `Remove the passkey ${passkey} of ${email}?`,
    );
    const { redis, report } = await openToAct();
    const accounts = new Accounts(redis);
    if (isHandle(passkey)) await accounts.revokeLinks(email);
    const left = typeof passkey === 'string' ? await accounts.remove(email, passkey) : undefined;
    const removed = passkey === undefined ? await accounts.forget(tagOf(email)) : Number(left !== undefined);
    const named = left === undefined ? {} : { passkey };
    await report({ command: 'remove-passkeys', person: tagOf(email), ...named, removed });
    return { text: `Removed ${countText(removed, 'passkey')} of ${email}.\n`, json: { address: email, removed } };
  },
};

/**
 * Ends sessions, and says which passkeys can begin new ones. Links that restore a passkey are revoked, since an intruder may
 * have one.
 */
const end: Command = {
  ...endSessions,
  async run(given, operator) {
    const outcome = await endSessions.run(given, operator);
    const [typed] = given.operands;
    if (typed === undefined) return outcome;
    const email = readAddress(typed);
    const { redis } = await operator.open();
    const accounts = new Accounts(redis);
    if (given.values.session === undefined) await accounts.revokeLinks(email);
    const count = (await accounts.load(email))?.passkeys.length ?? 0;
    if (count === 0) return outcome;
    const hint = `${email} can still sign in with ${countText(count, 'passkey')}. If one of them is not its owner's, "latchkey passkeys ${email}" lists them: remove it, then end the sessions again.`;
    return { ...outcome, text: `${outcome.text}${hint}\n`, json: Object.assign({}, outcome.json, { passkeys: count }) };
  },
};

/** What `latchkey` can be told about passkeys, by name. */
export const passkeyCommands: Record<string, Command> = { end, passkeys, 'remove-passkeys': removePasskeys };
