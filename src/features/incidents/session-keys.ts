import { decode, type StoredSession } from '../../session/record.ts';
import { handleOf, sessionKey } from '../../session/session-id.ts';
import { type Keyspace, readTexts } from './keyspace.ts';

const sessionName = /^\{([\w-]{14})\}([\w-]{22})$/;
const indexName = /^[\w-]{14}$/;

/** The id of the session that has this key; undefined for any other key. */
export function sessionIdOf(name: string): string | undefined {
  const [, tag, member] = sessionName.exec(name) ?? [];
  return tag === undefined || member === undefined ? undefined : tag + member;
}

/** Whether this is the key of the list of an address's sessions. */
export function isIndexKey(name: string): boolean {
  return indexName.test(name);
}

/**
 * The ids of all sessions with this tag, those included whose entry in the list of their address was lost.
 * @throws {RedisUnavailable}
 */
export async function findSessionIds(keyspace: Keyspace, tag: string): Promise<string[]> {
  const ids = new Set<string>();
  for await (const { keys } of keyspace.scan(`${sessionKey(tag)}*`)) {
    for (const key of keys) {
      const id = sessionIdOf(keyspace.nameOf(key));
      if (id !== undefined) ids.add(id);
    }
  }
  return [...ids];
}

/**
 * The sessions with this tag, found in the same way. Reading them is no use of them, and ends none.
 * @throws {RedisUnavailable}
 */
export async function readSessions(keyspace: Keyspace, tag: string): Promise<(StoredSession & { handle: string })[]> {
  const sessions = new Map<string, StoredSession & { handle: string }>();
  for await (const batch of keyspace.scan(`${sessionKey(tag)}*`)) {
    const records = await readTexts(batch);
    batch.keys.forEach((key, position) => {
      const id = sessionIdOf(keyspace.nameOf(key));
      const session = decode(records[position] ?? '');
      if (id !== undefined && session) sessions.set(id, { ...session, handle: handleOf(id) });
    });
  }
  return [...sessions.values()];
}
