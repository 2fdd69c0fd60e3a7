import type { ListEntry, ListedSession, SessionIndex } from '../../session/session-index.ts';
import { RecentCache } from './recent-cache.ts';

/**
 * Two generations of this many take about 1.7 MB with fifty usual sessions each, and 4.6 MB at worst: with as many as
 * possible in each, written in two bytes a character. What a fork keeps in its sessions as JSON can make that 7 MB.
 */
const maxLists = 20;
const maxReplyCharacters = 8192;

/**
 * Remembers the sessions that Redis's latest replies listed, and what is shown of them: reading a reply takes longer than
 * seeing that it is the same as before, and anybody who has many sessions could ask for it again and again. Redis is asked
 * for the list each time, and its whole reply is compared.
 */
export function rememberLists(index: Pick<SessionIndex, 'readList' | 'toListed'>): void {
  const { readList, toListed } = index;
  const recent = new RecentCache<{ reply: string; entries: readonly ListEntry[] }>(maxLists);
  const listed = new WeakMap<ListEntry, ListedSession>();

  index.readList = (tag, reply) => {
    const known = recent.get(tag);
    if (known?.reply === reply) return known.entries;
    const entries = readList(tag, reply);
    if (reply.length <= maxReplyCharacters) recent.set(tag, { reply, entries });
    return entries;
  };
  index.toListed = (entry) => {
    const known = listed.get(entry);
    if (known) return known;
    // Several requests share it.
    const shown = Object.freeze(toListed(entry));
    listed.set(entry, shown);
    return shown;
  };
}
