import type { Opened } from '../../cli/operator.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { decode } from '../../session/record.ts';
import { handleOf, indexKey, tagOf } from '../../session/session-id.ts';
import type { SessionIndex } from '../../session/session-index.ts';
import type { Person, PersonalKeys } from '../../shared/operations.ts';
import { type Batch, readKey } from './keyspace.ts';
import { sessionIdOf } from './session-keys.ts';

/** Something that Redis holds about a person. */
export type PersonalRecord = {
  kind: string;
  endsAt: Date | undefined;
  data: object;
  batch: Batch;
  /** Deletes what belongs to it besides. */
  forget: () => Promise<unknown>;
};

/** What the core itself holds. */
const coreKeys = (index: SessionIndex): PersonalKeys[] => [
  {
    kind: 'sessions',
    prefix: '{tag}',
    describe(name, record) {
      const id = sessionIdOf(name);
      const session = id === undefined ? undefined : decode(String(record));
      if (id === undefined || !session) return undefined;
      const { signedInAt, lastSeenAt, ...others } = session;
      return { session: handleOf(id), signedInAt: new Date(signedInAt), lastSeenAt: new Date(lastSeenAt), ...others };
    },
    // As every session ends, so that whoever waits for its end hears of it.
    forget: (name) => index.endById(sessionIdOf(name) ?? ''),
  },
  {
    kind: 'list of sessions',
    prefix: 'tag',
    describe: (name, _value, { tag }) => (name === indexKey(tag) ? {} : undefined),
  },
];

/**
 * All that Redis holds about the person with this address. Whatever key carries the tag of the address belongs to it,
 * also if nobody has declared its kind. The other kinds are looked into.
 * @throws {RedisUnavailable}
 */
export async function* findPersonalRecords(
  email: EmailAddress,
  { keyspace, personalKeys, store }: Pick<Opened, 'keyspace' | 'personalKeys' | 'store'>,
): AsyncGenerator<PersonalRecord> {
  const person = { email, tag: tagOf(email) };
  const kinds = [...coreKeys(store.index), ...personalKeys].map((kind) => ({
    ...kind,
    prefix: kind.prefix.replace('tag', person.tag),
  }));
  // The longest prefix first: that of another kind may begin with it.
  kinds.sort((a, b) => b.prefix.length - a.prefix.length);
  const hashTag = `{${person.tag}}`;
  const seen = new Set<string>();
  const scans = [keyspace.scanTag(person.tag), ...patternsOf(kinds, hashTag).map((pattern) => keyspace.scan(pattern))];
  for (const scan of scans) {
    for await (const { node, keys } of scan) {
      for (const key of keys) {
        const name = keyspace.nameOf(key);
        const found = seen.has(name) ? undefined : await describeKey({ node, keys: [key] }, name, kinds, person);
        if (!found) continue;
        seen.add(name);
        yield found;
      }
    }
  }
}

/** Where the keys are that don't carry the tag. Those that begin with one letter and a colon are found together. */
function patternsOf(kinds: PersonalKeys[], hashTag: string): string[] {
  const prefixes = kinds
    .map(({ prefix }) => prefix)
    .filter((prefix) => prefix.includes(':') && !prefix.includes(hashTag));
  const letters = prefixes.flatMap((prefix) => /^(\w):$/.exec(prefix)?.[1] ?? []);
  const others = prefixes.filter((prefix) => prefix.length > 2).map((prefix) => `${prefix}*`);
  return [...(letters.length > 0 ? [`[${letters.join('')}]:*`] : []), ...others];
}

async function describeKey(
  batch: Batch,
  name: string,
  kinds: PersonalKeys[],
  person: Person,
): Promise<PersonalRecord | undefined> {
  const stored = await readKey(batch.node, batch.keys[0] ?? '');
  if (!stored) return undefined;
  const endsAt = stored.endsAt > 0 ? new Date(stored.endsAt) : undefined;
  for (const { kind, prefix, describe, forget } of kinds) {
    const data = name.startsWith(prefix) ? describe(name, stored.value, person) : undefined;
    if (data) return { kind, endsAt, data, batch, forget: async () => forget?.(name, person) };
  }
  return name.includes(`{${person.tag}}`)
    ? { kind: 'other', endsAt, data: {}, batch, forget: async () => {} }
    : undefined;
}
