import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { EmailAddress } from '../../session/email-address.ts';

/** What never changes about a passkey. */
const madeShape = z.object({
  /** The credential id, base64url. */
  id: z.string(),
  /** COSE (RFC 9052), base64url. */
  publicKey: z.string(),
  /** The kind of its provider, as far as the provider says so. */
  aaguid: z.string(),
  /** How browsers reach it. */
  transports: z.array(z.string()),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
});

const useFields = z.object({
  /** The authenticator's signature counter; 0 for one that doesn't count, as with all synced passkeys. */
  counter: z.number(),
  /** Milliseconds since the epoch; undefined before the first sign-in. */
  lastUsedAt: z.number().optional(),
  /** Whether it can be synced to other devices (backup eligible). */
  isSyncable: z.boolean(),
  /** Whether it is (backup state). */
  isSynced: z.boolean(),
});

/** A passkey as JSON has it. */
export const passkeyShape = madeShape.extend(useFields.shape).extend({ name: z.string() });

/** How a passkey was used last. */
export type PasskeyUse = Required<z.infer<typeof useFields>>;

export type Passkey = z.infer<typeof madeShape> & PasskeyUse & { name: string };

/** An address and its passkeys, the oldest first. */
export type Account = {
  email: EmailAddress;
  /** Random, base64url. Authenticators store it with each passkey; it says nothing of the address. */
  userHandle: string;
  /** Empty at first. A link restores a passkey only if this has not changed since the link was mailed. */
  restoreKey: string;
  passkeys: Passkey[];
};

/** Whose passkey it is, and what of the account a link to it holds. */
export type Owner = Omit<Account, 'passkeys'>;

/** A passkey with its owner. */
export type Owned = Owner & { passkey: Passkey };

/** A passkey's public name, for forms, links and keys: a hash of its credential id. */
export function handleOf(credentialId: string): string {
  return createHash('sha256').update(credentialId).digest('base64url').slice(0, 22);
}

/** Whether this has the form of a handle, which no other field of an account has. */
export function isHandle(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]{22}$/.test(text);
}

const useShape = /^(\d+) (\d+) ([01])([01])$/;

/** The fields of a passkey in the hash of its account, by its handle: what it is, how it was used, what it is called. */
export function encode(passkey: Passkey): { made: string; use: string; name: string } {
  const { name, ...rest } = passkey;
  return { made: JSON.stringify(madeShape.parse(rest)), use: encodeUse(passkey), name };
}

export function encodeUse({ counter, lastUsedAt = 0, isSyncable, isSynced }: PasskeyUse): string {
  return `${counter} ${lastUsedAt} ${Number(isSyncable)}${Number(isSynced)}`;
}

/** The account in a Redis hash; undefined when it is none. A passkey that can't be read is left out. */
export function decodeAccount(fields: ReadonlyMap<string, string>): Account | undefined {
  const [email, userHandle] = [fields.get('email'), fields.get('user')];
  if (email === undefined || userHandle === undefined) return undefined;
  const handles = [...fields.keys()].filter(isHandle);
  const passkeys = handles
    .flatMap((handle) => decode(fields, handle) ?? [])
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  return { email: email as EmailAddress, userHandle, restoreKey: fields.get('restore') ?? '', passkeys };
}

function decode(fields: ReadonlyMap<string, string>, handle: string): Passkey | undefined {
  const made = madeShape.safeParse(parseJson(fields.get(handle)));
  const [, counter, lastUsedAt, syncable, synced] = useShape.exec(fields.get(`${handle}:use`) ?? '') ?? [];
  if (!made.success || counter === undefined) return undefined;
  return {
    ...made.data,
    name: fields.get(`${handle}:name`) ?? 'Passkey',
    counter: Number(counter),
    lastUsedAt: Number(lastUsedAt) || undefined,
    isSyncable: syncable === '1',
    isSynced: synced === '1',
  };
}

/** Any JSON, or undefined for what is none. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
