import { now } from '../../clock.ts';
import { signIns } from '../../diagnostics.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { personEvents } from '../../shared/person-events.ts';
import { type IpDetail, shownIp } from '../../shared/shown-ip.ts';

/** Something that happened to the sign-ins or mails of an address. */
export type HistoryEntry = {
  what: string;
  /** When last; milliseconds since the epoch, by Redis's clock. */
  at: number;
  /** How often. */
  times: number;
  /** The last request, as the log names it. */
  request: string;
};

type Event = { what: string; request: string };
/** `refusal`: nothing but refusals, which are only added to what is there. */
type Mode = 'add' | 'refusal' | 'decoy';

export const maxEntries = 20;
export const keptSeconds = 7 * 86_400;
/** Of what happens within this time, all that belongs to an address is written at once. */
const gatherMs = 20;
const maxTextLength = 120;

// The same thing once more takes no other entry: a stranger who asks again and again must not push out what matters. An
// entry is a line with the time in seconds, how often it has happened, the latest request, and what it is.
//
// Keys: the history, and a decoy in its place where nothing may be left, which takes the same work.
const addScript = `
local now = tonumber(redis.call('TIME')[1])
local keptSeconds, maxEntries = tonumber(ARGV[1]), tonumber(ARGV[2])
local mode, key = ARGV[3], KEYS[1]
if mode == 'decoy' then key = KEYS[2] end
local before = redis.pcall('GET', key)
local isKept = mode == 'add' or (mode == 'refusal' and type(before) == 'string')
local entries = {}
for at, times, request, what in string.gmatch(type(before) == 'string' and before or '', '(%d+) (%d+) (%S+) ([^\\n]*)\\n') do
  if now - tonumber(at) < keptSeconds then entries[#entries + 1] = {at, times, request, what} end
end
for position = 4, #ARGV, 2 do
  local request, what, times = ARGV[position], ARGV[position + 1], 1
  for place, entry in ipairs(entries) do
    if entry[4] == what then
      times = table.remove(entries, place)[2] + 1
      break
    end
  end
  table.insert(entries, 1, {string.format('%d', now), string.format('%d', times), request, what})
end
local lines = {}
for position = 1, math.min(#entries, maxEntries) do lines[position] = table.concat(entries[position], ' ') .. '\\n' end
local text = table.concat(lines)
if not isKept then redis.call('SET', KEYS[2], text, 'EX', 1)
elseif mode == 'add' then redis.call('SET', key, text, 'EX', keptSeconds)
else redis.call('SET', key, text, 'KEEPTTL') end`;

/** What `latchkey why` shows. */
export const historyKeys: PersonalKeys = {
  kind: 'history',
  prefix: 'h:{tag}',
  describe: (_name, text) => ({
    events: parseHistory(String(text)).map((entry) => ({ ...entry, at: new Date(entry.at) })),
  }),
};

/**
 * What happened to the last sign-ins and mails of each address, for its owner's questions to the operator. Nobody waits
 * for it, and it costs the same whichever address it is (ASVS 6.3.8). It holds no address but that of a client who has signed in.
 */
export class History {
  readonly #redis: RedisClient;
  readonly #gathered = new Map<string, { person: string; mode: Mode; events: Event[] }>();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = () => {};

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /**
   * Begins to write down what happens in the app with this log.
   * @param ipDetail how much of a client's address is kept, if it has signed in: as much as in the log
   */
  start(log: Logger, ipDetail: IpDetail): void {
    const endEvents = personEvents.subscribe(({ person, isDecoy, isRefusal, ...event }) => {
      if (event.log === log) this.#gather(person, isDecoy ? 'decoy' : isRefusal ? 'refusal' : 'add', event);
    });
    const endSignIns = signIns.subscribe(({ outcome, person, session, request = '', ip, ...event }) => {
      if (event.log !== log || person === undefined) return;
      if (session === undefined)
        return this.#gather(person, 'refusal', { what: `sign-in refused: ${outcome}`, request });
      const shown = shownIp(ipDetail, ip);
      const from = shown === undefined ? '' : `, from ${shown}`;
      this.#gather(person, 'add', { what: `signed in: session ${session}${from}`, request });
    });
    this.#unsubscribe = () => {
      endEvents();
      endSignIns();
    };
  }

  #gather(person: string, mode: Mode, { what, request }: Event): void {
    const place = `${person}${mode === 'decoy' ? ' decoy' : ''}`;
    const gathered = this.#gathered.get(place) ?? { person, mode, events: [] };
    if (mode === 'add') gathered.mode = mode;
    gathered.events.push({ what, request });
    if (gathered.events.length > maxEntries) gathered.events.shift();
    this.#gathered.set(place, gathered);
    this.#timer ??= setTimeout(() => void this.#write(), gatherMs);
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#write();
  }

  /**
   * What happened to an address, the latest first.
   * @param person the tag of the address
   * @throws {RedisUnavailable}
   */
  async read(person: string): Promise<HistoryEntry[]> {
    return parseHistory((await withTimeout(deadlineMs, this.#redis.get(keyOf(person)))) ?? '');
  }

  // A history that can't be written is no reason to fail anything, and the connection reports why.
  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gathered = [...this.#gathered.values()];
    this.#gathered.clear();
    await Promise.allSettled(
      gathered.map(({ person, mode, events }) => {
        const values = events.flatMap(({ request, what }) => [request.replace(/\s/g, '') || '-', oneLine(what)]);
        const keys = [keyOf(person), `${keyOf(person)}decoy`];
        const step = { keys, arguments: [String(keptSeconds), String(maxEntries), mode, ...values] };
        return withTimeout(deadlineMs, this.#redis.eval(addScript, step));
      }),
    );
  }
}

/** Where each session was signed in from, as far as that is kept: by its handle. */
export function clientAddresses(entries: HistoryEntry[]): Map<string, string> {
  return new Map(
    entries.flatMap(({ what }) => {
      const [, session, ip] = /^signed in: session (\S+), from (\S+)$/.exec(what) ?? [];
      return session === undefined || ip === undefined ? [] : [[session, ip]];
    }),
  );
}

/** The entries of a stored history; those that are too old are left out. */
export function parseHistory(text: string): HistoryEntry[] {
  const oldest = now() - keptSeconds * 1000;
  return [...text.matchAll(/^(\d+) (\d+) (\S+) (.*)$/gm)]
    .map(([, at, times, request = '', what = '']) => ({
      ...{ what, request, times: Number(times) },
      at: Number(at) * 1000,
    }))
    .filter(({ at }) => at > oldest);
}

function keyOf(person: string): string {
  return `h:{${person}}`;
}

function oneLine(what: string): string {
  return what.replace(/\p{C}/gu, ' ').slice(0, maxTextLength);
}
