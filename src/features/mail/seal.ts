import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { SessionSecrets } from '../../config.ts';
import { deriveKeys, type SecretKeys } from '../../shared/secret-keys.ts';

const ivBytes = 12;
const tagBytes = 16;

export type SealKeys = SecretKeys;

/** The keys for mail in Redis, unless they are for another use. */
export function deriveSealKeys(secrets: SessionSecrets, use = 'latchkey outbox'): SealKeys {
  return deriveKeys(secrets, use);
}

/**
 * Encrypts and authenticates a text by AES-256-GCM.
 * @param id authenticated with the text, so that somebody who can write to Redis cannot swap mails
 */
export function seal([key]: SealKeys, id: string, text: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(id));
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** The text, or undefined if no key decrypts it. */
export function unseal(keys: SealKeys, id: string, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < ivBytes + tagBytes) return undefined;
  for (const key of keys) {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(id)).setAuthTag(bytes.subarray(-tagBytes));
    try {
      return decipher.update(bytes.subarray(ivBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      // Encrypted under another secret, or altered.
    }
  }
  return undefined;
}

/**
 * A pseudonym for a recipient's domain, by which connections are shared; the domain itself is not stored in Redis.
 * Subdomains count as one domain, because their owner can create any number of them.
 */
export function domainTag([key]: SealKeys, address: string): string {
  const labels = address.slice(address.lastIndexOf('@') + 1).split('.');
  // Under a short second-level label, as in example.co.uk, the owner's domain has three labels.
  const length = (labels.at(-2)?.length ?? 0) <= 3 ? 3 : 2;
  return createHmac('sha256', key).update(labels.slice(-length).join('.')).digest('base64url').slice(0, 12);
}
