import { createECDH, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';

/** How long an app may accept an assertion. */
const assertionSeconds = 300;
const curveOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const algorithm = 'ES256';

type SigningKey = { key: KeyObject; publicJwk: JWK; id: string };

/**
 * Signed statements of who is visiting, for an app that would rather not trust its network (RFC 7519, ES256). Keys are
 * derived from the session secrets, so all processes agree on them, and they rotate with the secrets.
 */
export class Assertions {
  readonly #issuer: string;
  readonly #keys: Promise<[SigningKey, ...SigningKey[]]>;

  /** @param issuer the origin of the login site */
  constructor([newest, ...older]: SessionSecrets, issuer: string) {
    this.#issuer = issuer;
    this.#keys = Promise.all([deriveKey(newest), ...older.map(deriveKey)]);
  }

  /** A statement, good for five minutes, that this address is visiting a site. */
  async sign(email: string, siteOrigin: string): Promise<string> {
    const [{ key, id }] = await this.#keys;
    const issuedAt = Math.floor(now() / 1000);
    return new SignJWT({ email })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: id })
      .setIssuer(this.#issuer)
      .setAudience(siteOrigin)
      .setSubject(email)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + assertionSeconds)
      .sign(key);
  }

  /** The public keys, as a JSON Web Key Set (RFC 7517): one for each secret. */
  async jwks(): Promise<{ keys: JWK[] }> {
    return { keys: (await this.#keys).map(({ publicJwk }) => publicJwk) };
  }
}

// Of 48 bytes, so that no key is likelier than another by more than 2^-128 (FIPS 186-5, A.2.1).
async function deriveKey(secret: string): Promise<SigningKey> {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'latchkey gate assertions', 48));
  const scalar = (BigInt(`0x${bytes.toString('hex')}`) % (curveOrder - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(d);
  const point = ecdh.getPublicKey();
  const base64url = (part: Buffer) => part.toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)) };
  const id = await calculateJwkThumbprint(jwk);
  return {
    key: createPrivateKey({ key: { ...jwk, d: base64url(d) }, format: 'jwk' }),
    publicJwk: { ...jwk, alg: algorithm, use: 'sig', kid: id },
    id,
  };
}
