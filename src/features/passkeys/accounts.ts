import { randomBytes } from 'node:crypto';
import { now } from '../../clock.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { tagOf } from '../../session/session-id.ts';
import { readStoredText } from '../email-code/stored-text.ts';
import {
  addScript,
  loadScript,
  pointScript,
  prepareScript,
  removeScript,
  renameScript,
  revokeLinksScript,
  useScript,
} from './account-scripts.ts';
import { challengeSeconds } from './challenges.ts';
import {
  type Account,
  decodeAccount,
  encode,
  encodeUse,
  handleOf,
  isHandle,
  type Owner,
  type Passkey,
  type PasskeyUse,
} from './record.ts';

export const maxPasskeys = 20;
/** For how long a removal can be undone. */
export const undoSeconds = 7 * 86_400;
/** For how long we know that a passkey was removed, so that a browser which still has it can be told. */
const removedSeconds = 400 * 86_400;
const removed = 'removed';

/** The key that exists once any address has a passkey: the set of their tags. */
export const accountsKey = 'p:accounts';

/**
 * What became of a passkey that was to be added: `there` when this or another address has it already; `full` when there are
 * 20 already; `other` when the user handle or the restore key is not the one that this address has now, or the links of this
 * passkey were revoked.
 */
export type Added = 'added' | 'there' | 'full' | 'other';

/** What is known of a credential id that a browser presents. */
export type Found = { account: Account; passkey: Passkey } | 'removed' | 'unknown';

/**
 * The passkeys of each address, without expiry. All of an address is one hash under the tag of the address, so that one
 * script changes it in one Cluster slot. A passkey that is presented says nothing of its address, so a key named by a hash
 * of its credential id leads to the tag; alone it grants nothing. Every method throws `RedisUnavailable`.
 */
export class Accounts {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** The passkey with this credential id, and whose it is. Two Redis commands. */
  async find(credentialId: string): Promise<Found> {
    const tag = await this.#readPointer(handleOf(credentialId));
    if (tag === removed || tag === undefined) return tag ?? 'unknown';
    const account = await this.#load(tag);
    const passkey = account?.passkeys.find(({ id }) => id === credentialId);
    return account && passkey ? { account, passkey } : 'unknown';
  }

  /** The passkeys of an address. One Redis command. */
  load(email: EmailAddress): Promise<Account | undefined> {
    return this.#load(tagOf(email));
  }

  /** The same; an address without passkeys gets a user handle for as long as a challenge can be answered. */
  async prepare(email: EmailAddress): Promise<Account> {
    const handle = randomBytes(32).toString('base64url');
    const fields = await this.#run(prepareScript, tagOf(email), [email, handle, 2 * challengeSeconds * 1000]);
    return decodeAccount(mapOf(fields)) ?? { email, userHandle: handle, restoreKey: '', passkeys: [] };
  }

  /** What `add` would do now, without doing it. A passkey that is there is listed again: an earlier attempt may have failed halfway. */
  async tryAdding(owner: Owner, passkey: Passkey): Promise<Added> {
    if (await this.#isElsewhere(passkey, owner)) return 'there';
    const handle = handleOf(passkey.id);
    const outcome = await this.#runAdd(owner, handle, []);
    if (outcome === 'there') await this.#list(handle, tagOf(owner.email));
    return outcome;
  }

  /** Adds a passkey to an account. */
  async add(owner: Owner, passkey: Passkey): Promise<Added> {
    const handle = handleOf(passkey.id);
    const tag = tagOf(owner.email);
    if (await this.#isElsewhere(passkey, owner)) return 'there';
    await this.#point(handle, tag);
    const { made, use, name } = encode(passkey);
    const outcome = await this.#runAdd(owner, handle, [made, use, name]);
    if (outcome === 'full' || outcome === 'other') {
      await this.#markRemoved(handle, tag);
      return outcome;
    }
    await this.#list(handle, tag);
    return outcome;
  }

  /**
   * Removes a passkey. That it was there is remembered, to tell browsers that still have it.
   * @returns how many are left; undefined if there was no such passkey
   */
  async remove(email: EmailAddress, handle: string): Promise<number | undefined> {
    // An operator may have typed anything, such as the name of another field of the account.
    return isHandle(handle) ? this.#remove(tagOf(email), handle) : undefined;
  }

  async #remove(tag: string, handle: string): Promise<number | undefined> {
    const left = Number(await this.#run(removeScript, tag, [handle, undoSeconds * 1000]));
    if (left < 0) return undefined;
    await this.#markRemoved(handle, tag);
    if (left === 0) await this.#unlist(tag);
    return left;
  }

  /** Revokes the mailed links that restore passkeys of this address, or only those of one passkey. */
  async revokeLinks(email: EmailAddress, handle?: string): Promise<void> {
    const change =
      handle === undefined ? ['restore', randomBytes(16).toString('base64url')] : [`${handle}:revoked`, now()];
    await this.#run(revokeLinksScript, tagOf(email), [...change, now() - undoSeconds * 1000]);
  }

  /** @returns whether there is such a passkey */
  async rename(email: EmailAddress, handle: string, name: string): Promise<boolean> {
    return (await this.#run(renameScript, tagOf(email), [handle, name])) === 1;
  }

  /**
   * Records a sign-in.
   * @returns undefined if the passkey has been removed meanwhile; else the counter before, if this one should be greater
   */
  async use(
    email: EmailAddress,
    handle: string,
    use: PasskeyUse,
  ): Promise<{ counterBefore: number | undefined } | undefined> {
    const [counter = '', ...rest] = encodeUse(use).split(' ');
    const reply = await this.#run(useScript, tagOf(email), [handle, counter, rest.join(' ')]);
    const [isThere, before] = Array.isArray(reply) ? reply.map(Number) : [];
    if (isThere !== 1) return undefined;
    return { counterBefore: before === undefined || before < 0 ? undefined : before };
  }

  /**
   * Removes all passkeys of an address, given by its tag, and what would let a link bring one back.
   * @returns how many there were
   */
  async forget(tag: string): Promise<number> {
    const passkeys = (await this.#load(tag))?.passkeys ?? [];
    for (const { id } of passkeys) await this.#remove(tag, handleOf(id));
    await withDeadline(deadlineMs, this.#redis.del(accountKey(tag)));
    await this.#unlist(tag);
    return passkeys.length;
  }

  // A pointer that leads nowhere is left of an attempt that failed halfway.
  async #isElsewhere({ id }: Passkey, { email }: Owner): Promise<boolean> {
    const pointer = await this.#readPointer(handleOf(id));
    return pointer !== tagOf(email) && typeof (await this.find(id)) === 'object';
  }

  async #runAdd({ email, userHandle, restoreKey }: Owner, handle: string, fields: string[]): Promise<Added> {
    const values = [email, userHandle, restoreKey, maxPasskeys, handle, ...fields];
    const reply = await this.#run(addScript, tagOf(email), values);
    return (['added', 'there', 'full'] as const).find((known) => known === reply) ?? 'other';
  }

  async #load(tag: string): Promise<Account | undefined> {
    const account = decodeAccount(mapOf(await this.#run(loadScript, tag, [])));
    return account && tagOf(account.email) === tag ? account : undefined;
  }

  #readPointer(handle: string): Promise<string | undefined> {
    return readStoredText(this.#redis, pointerKey(handle));
  }

  async #point(handle: string, to: string): Promise<void> {
    const ends = to === removed ? ['EX', String(removedSeconds)] : [];
    await this.#eval(pointScript, pointerKey(handle), [to, ...ends]);
  }

  async #list(handle: string, tag: string): Promise<void> {
    // A removal that was under way may have marked it as removed after it was added.
    await this.#point(handle, tag);
    await this.#eval(`return redis.call('SADD', KEYS[1], ARGV[1])`, accountsKey, [tag]);
  }

  // First marked, then perhaps back again, if it was added meanwhile: a browser that is told of a removal may delete it.
  async #markRemoved(handle: string, tag: string): Promise<void> {
    await this.#point(handle, removed);
    const passkeys = (await this.#load(tag))?.passkeys ?? [];
    if (passkeys.some(({ id }) => handleOf(id) === handle)) await this.#point(handle, tag);
  }

  // First out, then perhaps in again: a passkey that is added meanwhile lists its address after it is stored.
  async #unlist(tag: string): Promise<void> {
    await this.#eval(`return redis.call('SREM', KEYS[1], ARGV[1])`, accountsKey, [tag]);
    const account = await this.#load(tag);
    if (account && account.passkeys.length > 0) {
      await this.#eval(`return redis.call('SADD', KEYS[1], ARGV[1])`, accountsKey, [tag]);
    }
  }

  #run(script: string, tag: string, values: (string | number)[]): Promise<unknown> {
    return this.#eval(script, accountKey(tag), values);
  }

  #eval(script: string, key: string, values: (string | number)[]): Promise<unknown> {
    return withDeadline(deadlineMs, this.#redis.eval(script, { keys: [key], arguments: values.map(String) }));
  }
}

function accountKey(tag: string): string {
  return `p:{${tag}}`;
}

function pointerKey(handle: string): string {
  return `p:id:${handle}`;
}

function mapOf(reply: unknown): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((field, position) => (position % 2 === 0 ? [[field, flat[position + 1] ?? '']] : [])));
}
