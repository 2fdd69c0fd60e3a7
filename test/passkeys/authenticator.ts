import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import * as z from 'zod';

const creationOptions = z.object({
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  challenge: z.string(),
  pubKeyCredParams: z.array(z.object({ type: z.literal('public-key'), alg: z.number() })),
  excludeCredentials: z.array(
    z.object({ type: z.literal('public-key'), id: z.string(), transports: z.array(z.string()) }),
  ),
  authenticatorSelection: z.record(z.string(), z.unknown()),
  attestation: z.string(),
  timeout: z.number(),
});
const requestOptions = z.object({
  challenge: z.string(),
  rpId: z.string(),
  allowCredentials: z.array(z.unknown()),
  userVerification: z.string(),
  timeout: z.number(),
});
export type CreationOptions = z.infer<typeof creationOptions>;
export type RequestOptions = z.infer<typeof requestOptions>;

export function readCreationOptions(json: string): CreationOptions {
  return creationOptions.parse(JSON.parse(json));
}

export function readRequestOptions(json: string): RequestOptions {
  return requestOptions.parse(JSON.parse(json));
}

const flagBits = { up: 1, uv: 4, be: 8, bs: 16, at: 64 };
type Flag = 'up' | 'uv' | 'be' | 'bs';

/** What an answer says; a hostile one says something else. */
export type Claims = {
  type?: string;
  origin?: string;
  rpId?: string;
  challenge?: string;
  crossOrigin?: boolean;
  topOrigin?: string;
  flags?: Flag[];
  counter?: number;
  userHandle?: string;
  credentialId?: Buffer;
  alg?: number;
  key?: Map<number, unknown>;
  aaguid?: string;
  transports?: string[];
  fmt?: string;
  attStmt?: Map<string, unknown>;
};

type Made = { id: Buffer; privateKey: KeyObject; userHandle: string; rpId: string };
export type Answer = { id: string; rawId: string; type: string; response: Record<string, unknown> };

/** An authenticator with one passkey, which says what a test wants it to say. */
export class Authenticator {
  readonly #origin: string;
  readonly #defaults: Claims;
  made: Made | undefined;

  constructor(origin: string, defaults: Claims = {}) {
    this.#origin = origin;
    this.#defaults = defaults;
  }

  /** The credential id. */
  get id(): string {
    return this.passkey.id.toString('base64url');
  }

  get passkey(): Made {
    if (!this.made) throw new Error('there is no passkey yet');
    return this.made;
  }

  create(options: CreationOptions, claims: Claims = {}): Answer {
    const { credentialId = randomBytes(32), alg = -7, aaguid = '00'.repeat(16), ...said } = this.#said(claims);
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const key = said.key ?? ecKey(x, y, alg);
    this.made = { id: credentialId, privateKey, userHandle: options.user.id, rpId: options.rp.id };
    const authData = Buffer.concat([
      this.#authenticatorData(options.rp.id, said, flagBits.at),
      Buffer.from(aaguid.replaceAll('-', ''), 'hex'),
      Buffer.from([credentialId.length >> 8, credentialId.length & 255]),
      credentialId,
      cbor(key),
    ]);
    const attestation = new Map<string, unknown>([
      ['fmt', said.fmt ?? 'none'],
      ['attStmt', said.attStmt ?? new Map()],
      ['authData', new Uint8Array(authData)],
    ]);
    return answerOf(credentialId, {
      clientDataJSON: this.#clientData('webauthn.create', options.challenge, said),
      attestationObject: cbor(attestation).toString('base64url'),
      transports: said.transports ?? ['internal', 'hybrid'],
    });
  }

  get(options: RequestOptions, claims: Claims = {}): Answer {
    const { id, privateKey, userHandle } = this.passkey;
    const said = this.#said(claims);
    const authData = this.#authenticatorData(options.rpId, said, 0);
    const clientDataJSON = this.#clientData('webauthn.get', options.challenge, said);
    const hash = createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest();
    return answerOf(said.credentialId ?? id, {
      clientDataJSON,
      authenticatorData: authData.toString('base64url'),
      signature: sign('sha256', Buffer.concat([authData, hash]), privateKey).toString('base64url'),
      userHandle: said.userHandle ?? userHandle,
    });
  }

  #said(claims: Claims): Claims {
    return { ...this.#defaults, ...claims };
  }

  #authenticatorData(
    rpId: string,
    { flags = ['up', 'uv', 'be', 'bs'], counter = 0, ...said }: Claims,
    more: number,
  ): Buffer {
    const data = Buffer.alloc(37);
    createHash('sha256')
      .update(said.rpId ?? rpId)
      .digest()
      .copy(data);
    data[32] = flags.reduce((bits, flag) => bits | flagBits[flag], more);
    data.writeUInt32BE(counter, 33);
    return data;
  }

  #clientData(type: string, challenge: string, said: Claims): string {
    const { crossOrigin = false, topOrigin } = said;
    const data = { type, challenge, origin: this.#origin, crossOrigin, ...(topOrigin !== undefined && { topOrigin }) };
    const { type: saidType = type, challenge: saidChallenge = challenge, origin = this.#origin } = said;
    return base64urlJson({ ...data, type: saidType, challenge: saidChallenge, origin });
  }
}

/** A COSE key (RFC 9053, 7.1). */
export function ecKey(x: string, y: string, alg = -7): Map<number, unknown> {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'));
  return new Map<number, unknown>([
    [1, 2],
    [3, alg],
    [-1, 1],
    [-2, bytes(x)],
    [-3, bytes(y)],
  ]);
}

function answerOf(id: Buffer, response: Record<string, unknown>): Answer {
  const text = id.toString('base64url');
  return { id: text, rawId: text, type: 'public-key', response };
}

function cbor(value: Map<never, unknown> | Map<string, unknown> | Map<number, unknown>): Buffer {
  return Buffer.from(isoCBOR.encode(value as Parameters<typeof isoCBOR.encode>[0]));
}

function base64urlJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
