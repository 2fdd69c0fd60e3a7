import { type Command, UsageError } from '../../../cli/command.ts';
import { Blocks } from '../blocks.ts';
import { clientBits, type Network, namesAround, networkText } from '../network.ts';
import { readClientNetwork, readDuration } from '../operands.ts';
import { tableText, timeText } from '../text.ts';

const defaultDuration = '24h';
const maxSeconds = 366 * 86_400;

/** Blocks sign-ins from a network. Existing sessions continue. */
export const block: Command = {
  usage: ['block IP-OR-RANGE [--for 24h]'],
  about: 'let nobody sign in from a network, such as 203.0.113.0/24, for a while',
  options: { for: { type: 'string' } },
  operands: [1, 1],
  async run({ operands: [typed], values }, { openToAct }) {
    const network = readClientNetwork(typed);
    if (!network) throw new UsageError(`"${typed}" is neither an IP address nor a range`);
    const seconds = readDuration('--for', String(values.for ?? defaultDuration));
    if (seconds > maxSeconds) throw new UsageError('--for takes at most 366d: a network gets new owners');
    const { redis, report } = await openToAct();
    const blocked = await new Blocks(redis).add(network, seconds);
    const until = new Date(blocked.until);
    await report({ command: 'block', network: blocked.network, until });
    return {
      text: `Nobody can sign in from ${blocked.network} until ${timeText(blocked.until)}. Existing sessions continue.\n${hintFor(network, blocked.network)}`,
      json: { network: blocked.network, until },
    };
  },
};

/** One client of IPv6 has many addresses; what else counts clients counts each /64 as one. */
function hintFor(network: Network, text: string): string {
  if (network.bits <= clientBits(network)) return '';
  const name = namesAround(text.split('/')[0])[clientBits(network)] ?? '';
  return `A client of IPv6 usually has a whole /64. To keep it out, block ${networkText(name)}.\n`;
}

/** Lists what is blocked. */
export const blocks: Command = {
  usage: ['blocks'],
  about: 'list the networks from which nobody can sign in',
  operands: [0, 0],
  async run(_given, { open }) {
    const list = await new Blocks((await open()).redis).list();
    const rows = list.map(({ network, until }) => [network, timeText(until)]);
    return {
      text: list.length === 0 ? 'Nothing is blocked.\n' : tableText([['NETWORK', 'UNTIL'], ...rows]),
      json: { blocks: list.map(({ network, until }) => ({ network, until: new Date(until) })) },
    };
  },
};
