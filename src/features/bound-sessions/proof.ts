import { createPublicKey, verify } from 'node:crypto';
import * as z from 'zod';

/** Every platform's key store has it (TPM 2.0, Secure Enclave, StrongBox). One algorithm leaves nothing to confuse. */
export const algorithm = 'ES256';

const maxProofLength = 4096;
const coordinate = z.string().regex(/^[\w-]{43}$/);
const headerShape = z.object({
  alg: z.literal(algorithm),
  typ: z.literal('dbsc+jwt'),
  jwk: z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: coordinate, y: coordinate }).optional(),
});
const payloadShape = z.object({ jti: z.string().max(256) });

/** What a browser sends to prove a key: a JWT whose signature is still to be verified. */
export type Proof = {
  challenge: string;
  /** The key of a registration, both coordinates; undefined in a refresh. */
  newKey: string | undefined;
  isSignedBy: (key: string) => boolean;
};

/**
 * Reads the `Secure-Session-Response` header. Only ES256 is read: whatever else the JWT says its algorithm is, such as
 * `none`, is no proof (RFC 8725, 3.1).
 * @param header a structured field (RFC 9651): the JWT, as a string or a bare token, perhaps with parameters
 */
export function readProof(header: string | string[] | undefined): Proof | undefined {
  if (typeof header !== 'string' || header.length > maxProofLength) return undefined;
  const [, head = '', payload = '', signature = ''] =
    /^"?([\w-]+)\.([\w-]+)\.([\w-]{86})"?\s*(?:;.*)?$/.exec(header) ?? [];
  const { data: claims } = headerShape.safeParse(parse(head));
  const { data: content } = payloadShape.safeParse(parse(payload));
  if (!claims || !content) return undefined;
  const { jwk } = claims;
  return {
    challenge: content.jti,
    newKey: jwk && jwk.x + jwk.y,
    isSignedBy: (key) => isSigned(`${head}.${payload}`, signature, key),
  };
}

/** A structured field that is one string; undefined for anything else. */
export function readString(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? /^"?([\w-]{1,128})"?\s*(?:;.*)?$/.exec(header)?.[1] : undefined;
}

function isSigned(content: string, signature: string, key: string): boolean {
  const half = key.length / 2;
  const jwk = { kty: 'EC', crv: 'P-256', x: key.slice(0, half), y: key.slice(half) };
  try {
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    const bytes = Buffer.from(signature, 'base64url');
    return verify('sha256', Buffer.from(content), { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
  } catch {
    return false; // Not a point on the curve.
  }
}

function parse(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}
