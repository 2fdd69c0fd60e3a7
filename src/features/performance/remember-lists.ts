import type { ListEntry, SessionIndex } from '../../session/session-index.ts';
import { Recent } from './recent.ts';

/** Two generations of this many take up to four megabytes. */
const maxLists = 100;
const maxLength = 16_384;

/**
 * Remembers what the latest replies of Redis with the sessions of an address held: reading one takes longer than seeing
 * that it is the same as before, and anybody who has many sessions could ask for it again and again. Redis is asked for the
 * list each time, and its whole reply is compared.
 */
export function rememberLists({ readList }: Pick<SessionIndex, 'readList'>): SessionIndex['readList'] {
  const recent = new Recent<{ reply: string; entries: readonly ListEntry[] }>(maxLists);

  return (tag, reply) => {
    const known = recent.find(tag);
    if (known?.reply === reply) return known.entries;
    const entries = readList(tag, reply);
    for (const { listed } of entries) Object.freeze(listed); // Several requests share them.
    if (reply.length <= maxLength) recent.add(tag, { reply, entries });
    return entries;
  };
}
