import type { ListEntry, SessionIndex } from '../../session/session-index.ts';
import { Recent } from './recent.ts';

/**
 * Two generations of this many take 1.7 MB with fifty usual sessions each, and 4.6 MB at worst: with as many as possible in
 * each, written in two bytes a character. What a fork keeps in its sessions as JSON can make that 7 MB.
 */
const maxLists = 20;
const maxReplyCharacters = 8192;

/**
 * Remembers the sessions that Redis's latest replies listed: reading a reply takes longer than seeing that it is the same
 * as before, and anybody who has many sessions could ask for it again and again. Redis is asked for the list each time, and
 * its whole reply is compared.
 */
export function rememberLists({ readList }: Pick<SessionIndex, 'readList'>): SessionIndex['readList'] {
  const recent = new Recent<{ reply: string; entries: readonly ListEntry[] }>(maxLists);

  return (tag, reply) => {
    const known = recent.find(tag);
    if (known?.reply === reply) return known.entries;
    const entries = readList(tag, reply);
    if (reply.length <= maxReplyCharacters) recent.add(tag, { reply, entries });
    return entries;
  };
}
