import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { SessionSecrets } from '../config.ts';

/** AES-256 keys, one for each session secret: the first encrypts, all decrypt. */
export type SecretKeys = [KeyObject, ...KeyObject[]];

/**
 * Derives keys from the session secrets, by HKDF (RFC 5869). They are key objects: with buffers, Node 24 takes 8 µs longer
 * at each use.
 * @param use what they encrypt; each use has keys of its own
 */
export function deriveKeys([first, ...others]: SessionSecrets, use: string): SecretKeys {
  const derive = (secret: string) => createSecretKey(new Uint8Array(hkdfSync('sha256', secret, '', use, 32)));
  return [derive(first), ...others.map(derive)];
}
