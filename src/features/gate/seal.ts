import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';
import { deriveKeys, type SecretKeys } from '../../shared/secret-keys.ts';

const algorithm = 'aes-256-gcm';
const ivLength = 12;
const tagLength = 16;

/**
 * Seals short texts for a context, such as a site's origin: whoever has the sealed form can neither read it, change it,
 * nor use it in another context (AES-256-GCM; each session secret has a key of its own, by HKDF).
 */
export class Seal {
  readonly #keys: SecretKeys;

  /** @param purpose seals of different purposes don't open each other's */
  constructor(secrets: SessionSecrets, purpose: string) {
    this.#keys = deriveKeys(secrets, `latchkey ${purpose}`);
  }

  /** The sealed form, in base64url; under the newest secret. */
  seal(text: string, context: string): string {
    // The nonce begins with the time, so that the sealed text stays as earlier versions read it. The other 64 bits are
    // random, so two nonces of one second practically never match.
    const iv = randomBytes(ivLength);
    iv.writeUInt32BE(Math.floor(now() / 1000));
    const cipher = createCipheriv(algorithm, this.#keys[0], iv).setAAD(Buffer.from(context));
    return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** When a text was sealed, in milliseconds since the epoch. Nobody can change it without breaking the seal. */
  sealedAt(sealed: string): number {
    return Buffer.from(sealed, 'base64url').readUInt32BE() * 1000;
  }

  /**
   * What was sealed under any of the secrets; undefined for anything else. Decoding leaves out what is not base64url, so
   * one sealed text could be written in any number of ways; only the way in which `seal` writes it is accepted.
   */
  open(sealed: string, context: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length <= ivLength + tagLength || bytes.toString('base64url') !== sealed) return undefined;
    for (const key of this.#keys) {
      const text = openWith(key, bytes, context);
      if (text !== undefined) return text;
    }
    return undefined;
  }
}

function openWith(key: KeyObject, bytes: Buffer, context: string): string | undefined {
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivLength), { authTagLength: tagLength });
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagLength));
  try {
    return decipher.update(bytes.subarray(ivLength, -tagLength), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return undefined;
  }
}
