import { type Command, type Outcome, UsageError } from '../../../cli/command.ts';
import type { Opened, OpenedToAct } from '../../../cli/operator.ts';
import { tagOf } from '../../../session/session-id.ts';
import { countedNetworks } from '../../rate-limits/client-networks.ts';
import { Blocks } from '../blocks.ts';
import { deleteKeys } from '../keyspace.ts';
import { clientBits, type Network, namesAround, networkName, networkText } from '../network.ts';
import { readAddress, readClientNetwork } from '../operands.ts';
import { countText } from '../text.ts';

/** Sets the rate limits of an address or a client back, and lifts the block of a network. */
export const unblock: Command = {
  usage: ['unblock ADDRESS', 'unblock IP-OR-RANGE'],
  about: 'give an address or a client all its attempts back, and lift a block',
  operands: [1, 1],
  async run({ operands: [typed = ''] }, { openToAct }) {
    if (typed.includes('@')) return unblockAddress(typed, await openToAct());
    const network = readClientNetwork(typed);
    if (!network) throw new UsageError(`"${typed}" is neither an e-mail address nor an IP address or a range`);
    return unblockNetwork(network, await openToAct());
  },
};

async function unblockAddress(typed: string, opened: OpenedToAct): Promise<Outcome> {
  const email = readAddress(typed);
  const counters = await deleteCounters(opened, `{${tagOf(email)}}`, () => true);
  await opened.report({ command: 'unblock', person: tagOf(email), counters });
  return {
    text: `Reset ${countText(counters, 'counter')} of ${email}. The client's IP address has counters of its own: to reset those, unblock that address as well.\n`,
    json: { address: email, counters },
  };
}

async function unblockNetwork(network: Network, opened: OpenedToAct): Promise<Outcome> {
  const blocks = new Blocks(opened.redis);
  const name = networkName(network);
  const text = networkText(name);
  const wasBlocked = await blocks.remove(network);
  const counters = network.bits >= clientBits(network) ? await deleteClientCounters(network, opened) : 0;
  await opened.report({ command: 'unblock', network: text, wasBlocked, counters });
  const blocked = (await blocks.list()).map((block) => block.network);
  const wider = namesAround(addressIn(text)).slice(0, network.bits).map(networkText);
  const stillIn = blocked.filter((each) => wider.includes(each));
  const isInside = (each: string) => namesAround(addressIn(each))[network.bits] === name;
  const stillBlocked = blocked.filter((each) => isInside(each) && each !== text && !wider.includes(each));
  const lines = [
    wasBlocked ? `${text} is not blocked any more.` : `${text} was not blocked.`,
    `Reset ${countText(counters, 'counter')}.`,
    ...stillIn.map((each) => `It is still in ${each}, which is blocked: unblock that.`),
    ...stillBlocked.map((each) => `${each} is inside it and is still blocked: unblock that as well.`),
  ];
  return { text: `${lines.join('\n')}\n`, json: { network: text, wasBlocked, counters, stillIn, stillBlocked } };
}

function addressIn(networkText: string): string | undefined {
  return networkText.split('/')[0];
}

/** The counters of an IPv6 client's /64, and of the /56 and the /48 around it. */
async function deleteClientCounters({ digits }: Network, opened: Opened): Promise<number> {
  const ends = countedNetworks(digits).map(({ end }) => end);
  return deleteCounters(opened, ends[0] ?? '', (name) => ends.some((end) => name.endsWith(end)));
}

async function deleteCounters(
  { keyspace }: Opened,
  hashTag: string,
  isMeant: (name: string) => boolean,
): Promise<number> {
  let deleted = 0;
  for await (const { node, keys } of keyspace.scan(`l:*${hashTag}*`)) {
    deleted += await deleteKeys({ node, keys: keys.filter((key) => isMeant(keyspace.nameOf(key))) });
  }
  return deleted;
}
