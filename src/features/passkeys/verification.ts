import { createPublicKey } from 'node:crypto';
import * as z from 'zod';
import { type Passkey, type PasskeyUse, parseJson } from './record.ts';
import type { RelyingParty } from './relying-party.ts';

// Loaded with the first answer of an authenticator: otherwise it would take a third of the time of each start.
const loadLibrary = () => import('@simplewebauthn/server');
const loadHelpers = () => import('@simplewebauthn/server/helpers');

/** EdDSA, ES256 and RS256: what every supported Node verifies, and every authenticator has one of. */
export const algorithms = [-8, -7, -257];

/** A credential id has at most 1023 bytes (WebAuthn, 4). */
const credentialId = z.string().regex(/^[\w-]{16,1364}$/);
const bytes = (maxLength: number) =>
  z
    .string()
    .regex(/^[\w-]+$/)
    .max(maxLength);
const knownTransports = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

const registration = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: bytes(4096),
    attestationObject: bytes(12_000),
    transports: z
      .array(z.string())
      .catch([])
      .transform((names) => [...new Set(names)].filter((name) => knownTransports.has(name))),
  }),
});

const assertion = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: bytes(4096),
    authenticatorData: bytes(4096),
    signature: bytes(2048),
    // Passkeys are discoverable, so authenticators always say whose they are.
    userHandle: bytes(88),
  }),
});

const clientData = z.object({
  challenge: z.string(),
  crossOrigin: z.boolean().optional(),
  topOrigin: z.undefined().optional(),
});

/** What a browser answers when it has made a passkey: `toJSON()` of its credential. */
export type Registration = z.infer<typeof registration> & { challenge: string };
/** What a browser answers when somebody signs in. */
export type Assertion = z.infer<typeof assertion> & { challenge: string };

/** The answer does not prove what it should; the message is for the log. */
export class NotVerified extends Error {}

/** Reads an answer of a browser, any part of which may be forged. */
export function readRegistration(value: unknown): Registration {
  return withChallenge(registration.safeParse(value).data);
}

/** The same for a sign-in. */
export function readAssertion(value: unknown): Assertion {
  return withChallenge(assertion.safeParse(value).data);
}

// The challenge is known to be ours before anything else is looked at.
function withChallenge<Answer extends { response: { clientDataJSON: string } }>(
  answer: Answer | undefined,
): Answer & { challenge: string } {
  if (!answer) throw new NotVerified('not the answer of an authenticator');
  const json = Buffer.from(answer.response.clientDataJSON, 'base64url').toString();
  const { data } = clientData.safeParse(parseJson(json));
  if (!data) throw new NotVerified('not the client data of an answer');
  // The library lets an embedded page pass that does not say where it is embedded (WebAuthn, 7.1 and 7.2).
  if (data.crossOrigin === true) throw new NotVerified('the answer comes from an embedded page');
  return { ...answer, challenge: data.challenge };
}

/**
 * Verifies a new passkey (WebAuthn, 7.1): type, challenge, origin, relying party, user presence and verification,
 * algorithm. Its challenge must have been looked at before.
 * @throws {NotVerified}
 */
export function verifyRegistration(
  { challenge, ...answer }: Registration,
  { id, origin }: RelyingParty,
): Promise<Omit<Passkey, 'name' | 'createdAt'>> {
  return orNotVerified(async () => {
    const { verifyRegistrationResponse } = await loadLibrary();
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...(await withoutStatement(answer)), clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: id,
      supportedAlgorithmIDs: algorithms,
    });
    if (!registrationInfo) throw new NotVerified('the attestation is not valid');
    const { credential, aaguid, credentialDeviceType, credentialBackedUp } = registrationInfo;
    if (credential.id !== answer.id) throw new NotVerified('the credential ids differ');
    await checkPublicKey(credential.publicKey);
    return {
      id: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      aaguid,
      transports: answer.response.transports,
      counter: credential.counter,
      lastUsedAt: undefined,
      isSyncable: credentialDeviceType === 'multiDevice',
      isSynced: credentialBackedUp,
    };
  });
}

/**
 * Verifies a sign-in (WebAuthn, 7.2): type, challenge, origin, relying party, user presence and verification, whose
 * passkey it is, and the signature. Its challenge must have been looked at before. What becomes of the counter is for
 * the caller to say.
 * @throws {NotVerified}
 */
export function verifyAssertion(
  { challenge, ...answer }: Assertion,
  { passkey, userHandle, party }: { passkey: Passkey; userHandle: string; party: RelyingParty },
): Promise<Pick<PasskeyUse, 'counter' | 'isSyncable' | 'isSynced'>> {
  return orNotVerified(async () => {
    if (answer.response.userHandle !== userHandle) throw new NotVerified('the user handles differ');
    const { verifyAuthenticationResponse } = await loadLibrary();
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...answer, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      credential: {
        id: passkey.id,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        // The library refuses a counter that went backwards, which synced passkeys do for good reasons.
        counter: 0,
      },
    });
    if (!verified) throw new NotVerified('the signature is not valid');
    const { newCounter, credentialDeviceType, credentialBackedUp } = authenticationInfo;
    return { counter: newCounter, isSyncable: credentialDeviceType === 'multiDevice', isSynced: credentialBackedUp };
  });
}

// No attestation is asked for, so none is looked at. To verify one, the library would fetch the revocation lists that
// its certificates name, from wherever a forged one says.
async function withoutStatement(answer: Omit<Registration, 'challenge'>): Promise<Omit<Registration, 'challenge'>> {
  const { decodeAttestationObject, isoCBOR } = await loadHelpers();
  const { attestationObject } = answer.response;
  const authData = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url'))).get('authData');
  if (!(authData instanceof Uint8Array)) throw new NotVerified('no authenticator data');
  const bare = isoCBOR.encode(
    new Map<string, string | Uint8Array | Map<string, string>>([
      ['fmt', 'none'],
      ['attStmt', new Map<string, string>()],
      ['authData', authData],
    ]),
  );
  return { ...answer, response: { ...answer.response, attestationObject: Buffer.from(bare).toString('base64url') } };
}

// The library looks at the algorithm alone, and would store a key that no signature fits.
async function checkPublicKey(publicKey: Uint8Array<ArrayBuffer>): Promise<void> {
  const { decodeCredentialPublicKey } = await loadHelpers();
  const cose: Pick<ReadonlyMap<number, unknown>, 'get'> = decodeCredentialPublicKey(publicKey);
  const part = (label: number) => {
    const value = cose.get(label);
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : '';
  };
  const shapes: Record<string, () => Record<string, string>> = {
    '1 -8 6': () => ({ kty: 'OKP', crv: 'Ed25519', x: part(-2) }),
    '2 -7 1': () => ({ kty: 'EC', crv: 'P-256', x: part(-2), y: part(-3) }),
    '3 -257': () => ({ kty: 'RSA', n: part(-1), e: part(-2) }),
  };
  const kind = [cose.get(1), cose.get(3), ...(cose.get(1) === 3 ? [] : [cose.get(-1)])].join(' ');
  const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (!shape) throw new NotVerified('the key is not of its algorithm');
  const { asymmetricKeyDetails } = createPublicKey({ key: shape(), format: 'jwk' });
  if ((asymmetricKeyDetails?.modulusLength ?? 2048) < 2048) throw new NotVerified('the key is too short');
}

// Whatever the library, the CBOR decoder or OpenSSL objects to.
async function orNotVerified<Result>(verify: () => Promise<Result>): Promise<Result> {
  try {
    return await verify();
  } catch (error) {
    if (error instanceof NotVerified) throw error;
    throw new NotVerified(error instanceof Error ? error.message : String(error));
  }
}
