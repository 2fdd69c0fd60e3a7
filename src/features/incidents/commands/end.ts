import { type Command, type Outcome, UsageError } from '../../../cli/command.ts';
import type { Operator } from '../../../cli/operator.ts';
import type { EmailAddress } from '../../../session/email-address.ts';
import { handleOf, tagOf } from '../../../session/session-id.ts';
import { CutOff } from '../cut-off.ts';
import { deleteKeys } from '../keyspace.ts';
import { readAddress } from '../operands.ts';
import { findSessionIds, isIndexKey, sessionIdOf } from '../session-keys.ts';
import { countText } from '../text.ts';

/** Ends sessions: of an address, one of them, or everybody's. */
export const end: Command = {
  usage: ['end ADDRESS [--session SESSION]', 'end --everyone'],
  about: "end sessions: all of an address, one of them, or everybody's",
  options: { session: { type: 'string' }, everyone: { type: 'boolean' } },
  asksFirst: 'end --everyone',
  operands: [0, 1],
  async run({ operands: [typed], values: { session, everyone } }, operator) {
    if (everyone === true) {
      if (typed !== undefined || session !== undefined) throw new UsageError('--everyone takes nothing else');
      return endEveryone(operator);
    }
    if (typed === undefined) throw new UsageError('say whose sessions to end: an address, or --everyone');
    return endOf(readAddress(typed), session, operator);
  },
};

async function endOf(email: EmailAddress, handle: unknown, { openToAct }: Operator): Promise<Outcome> {
  const { store, keyspace, report } = await openToAct();
  const listed = handle === undefined ? await store.index.endAll(email) : 0;
  const ids = await findSessionIds(keyspace, tagOf(email));
  const meant = ids.filter((id) => handle === undefined || handleOf(id) === handle);
  const ended = await Promise.all(meant.map((id) => store.index.endById(id)));
  const count = listed + ended.filter(Boolean).length;
  await report({
    command: 'end',
    person: tagOf(email),
    // What matched no session may be the id of one, which must not be logged.
    ...(handle !== undefined && meant.length > 0 && { session: handle }),
    ended: count,
  });
  return {
    text: `Ended ${countText(count, 'session')} of ${email}.\n`,
    json: { address: email, ended: count },
  };
}

// The cut-off holds at once, in every process. The sessions are deleted as well: it would not hold for one of a process
// whose clock is ahead, and they take memory.
async function endEveryone({ openToAct, confirm }: Operator): Promise<Outcome> {
  await confirm('End the sessions of everybody?');
  const { config, keyspace, redis, report } = await openToAct();
  const startedAt = performance.now();
  const { absoluteSeconds, rememberAbsoluteSeconds } = config.sessionLimits;
  await new CutOff(redis).set(Math.max(absoluteSeconds, rememberAbsoluteSeconds));
  await report({ command: 'end --everyone' });
  let ended = 0;
  for await (const { node, keys } of keyspace.scanAll()) {
    const names = keys.map((key) => ({ key, name: keyspace.nameOf(key) }));
    const of = (isMeant: (name: string) => boolean) => ({
      node,
      keys: names.filter(({ name }) => isMeant(name)).map(({ key }) => key),
    });
    const isSession = (name: string) => sessionIdOf(name) !== undefined;
    const [sessions] = await Promise.all([deleteKeys(of(isSession)), deleteKeys(of(isIndexKey))]);
    ended += sessions;
  }
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  return {
    text: `Ended ${countText(ended, 'session')} in ${seconds.toFixed(1)} s.\n`,
    json: { ended, seconds },
  };
}
