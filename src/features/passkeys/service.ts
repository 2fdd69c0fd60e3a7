import { now } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { tagOf } from '../../session/session-id.ts';
import type { Cause } from '../email-code/code-mails.ts';
import { clientCounters } from '../rate-limits/client-networks.ts';
import { takePoints } from '../rate-limits/take-points.ts';
import { type Accounts, type Added, maxPasskeys } from './accounts.ts';
import { type Challenges, challengeSeconds } from './challenges.ts';
import { countersOf, passkeyLimits } from './limits.ts';
import type { PasskeyMails } from './passkey-mails.ts';
import { providerName } from './providers.ts';
import { type Account, handleOf, type Owned, type Passkey } from './record.ts';
import type { RelyingParty } from './relying-party.ts';
import {
  type Assertion,
  algorithms,
  NotVerified,
  readAssertion,
  readRegistration,
  verifyAssertion,
  verifyRegistration,
} from './verification.ts';

/** Who sent a request. */
export type Client = Cause & {
  ip: string | undefined;
  /** The random value in the cookie of this browser. */
  browser: string | undefined;
  party: RelyingParty;
};

/** The result of a sign-in. */
export type SignInResult =
  /** The session is not stored yet: that takes the request. */
  | { outcome: 'verified'; account: Account; passkey: Passkey; counterBefore: number | undefined }
  /** Too late, used already, or asked for by another browser. */
  | { outcome: 'expired' }
  /** We have no such passkey; `wasRemoved` when we know that it was removed here. */
  | { outcome: 'unknown'; credentialId: string; wasRemoved: boolean }
  | Refused
  | { outcome: 'not allowed'; email: EmailAddress }
  | { outcome: 'too often'; waitSeconds: number; email: EmailAddress | undefined };

/** The result of adding a passkey. */
export type AddResult =
  | { outcome: 'added'; passkey: Passkey }
  | { outcome: 'expired' | 'full' | 'there' | 'not allowed' }
  | Refused
  | { outcome: 'too often'; waitSeconds: number };

/** The result of removing a passkey. */
export type RemoveResult =
  | { outcome: 'removed'; left: number }
  /** There is no such passkey any more. */
  | { outcome: 'gone' }
  | { outcome: 'too often'; waitSeconds: number };

/** The result of restoring a passkey. */
export type RestoreResult = { outcome: Added } | { outcome: 'too often'; waitSeconds: number };

type Parts = {
  challenges: Challenges;
  accounts: Accounts;
  mails: PasskeyMails;
  redis: RedisClient;
  isAllowed: (email: EmailAddress) => boolean;
  siteName: string;
  displayAddress: (email: string) => string;
  log: Logger;
};

const timeout = challengeSeconds * 1000;

/** Sign-in by passkey, and the passkeys of an address, without HTTP. Every method throws `RedisUnavailable`. */
export class PasskeyService {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What a browser needs for a sign-in (PublicKeyCredentialRequestOptionsJSON). Nothing is stored for it. */
  requestOptions(browser: string, party: RelyingParty): object {
    const challenge = this.#parts.challenges.issue('sign-in', browser);
    return { challenge, rpId: party.id, timeout, userVerification: 'required', allowCredentials: [] };
  }

  /**
   * Finds out who signs in. What does not answer a challenge of ours is refused before Redis is asked; the challenge is
   * used up by the first answer that proves a passkey.
   */
  async signIn(answer: unknown, client: Client): Promise<SignInResult> {
    const assertion = await orRefused(async () => readAssertion(answer));
    if ('outcome' in assertion) return assertion;
    if (!this.#parts.challenges.isGood(assertion.challenge, 'sign-in', client.browser)) return { outcome: 'expired' };
    const result = await orRefused(() => this.#verify(assertion, client));
    if (result.outcome !== 'refused' && result.outcome !== 'unknown') return result;
    const waitSeconds = await this.#take(clientCounters('passkey', client.ip, passkeyLimits.failuresPerClient));
    return waitSeconds > 0 ? { outcome: 'too often', waitSeconds, email: undefined } : result;
  }

  /** Whether the passkey of a sign-in has not been removed meanwhile. One Redis command. */
  async isThere({ account, passkey }: Extract<SignInResult, { outcome: 'verified' }>): Promise<boolean> {
    const found = await this.#parts.accounts.load(account.email);
    return found?.passkeys.some(({ id }) => id === passkey.id) ?? false;
  }

  /** Reports a sign-in whose counter went backwards. It does not fail. */
  async reportCounter(
    { account, passkey, counterBefore }: Extract<SignInResult, { outcome: 'verified' }>,
    client: Client,
  ): Promise<void> {
    const { mails, log } = this.#parts;
    if (counterBefore === undefined) return;
    const about = { id: client.requestId, person: tagOf(account.email), passkey: handleOf(passkey.id) };
    log.warn({ ...about, counterBefore, counter: passkey.counter }, 'the counter of a passkey went backwards');
    await mails.sendCounter({ ...account, passkey }, client);
  }

  /**
   * What a browser needs to make a passkey (PublicKeyCredentialCreationOptionsJSON).
   * @returns undefined when the address has 20 already
   */
  async creationOptions(email: EmailAddress, browser: string, party: RelyingParty): Promise<object | undefined> {
    const { challenges, accounts, siteName, displayAddress } = this.#parts;
    const { userHandle, passkeys } = await accounts.prepare(email);
    if (passkeys.length >= maxPasskeys) return undefined;
    const name = displayAddress(email);
    return {
      rp: { id: party.id, name: siteName },
      user: { id: userHandle, name, displayName: name },
      challenge: challenges.issue(purposeOf(email, userHandle), browser),
      pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: passkeys.map(({ id, transports }) => ({ type: 'public-key', id, transports })),
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      attestation: 'none',
      timeout,
    };
  }

  /** Adds the passkey that a browser has made for this address. */
  async add(email: EmailAddress, answer: unknown, client: Client): Promise<AddResult> {
    const { challenges, accounts, isAllowed } = this.#parts;
    if (!isAllowed(email)) return { outcome: 'not allowed' };
    return orRefused(async () => {
      const registration = readRegistration(answer);
      const { challenge } = registration;
      const account = await accounts.load(email);
      const isGood = account && challenges.isGood(challenge, purposeOf(email, account.userHandle), client.browser);
      if (!isGood) return { outcome: 'expired' };
      const made = await verifyRegistration(registration, client.party);
      return (await challenges.use(challenge)) ? this.#addVerified(account, made, client) : { outcome: 'expired' };
    });
  }

  /** Removes a passkey of this address. */
  async remove(email: EmailAddress, handle: string, cause: Cause): Promise<RemoveResult> {
    const { accounts, mails } = this.#parts;
    const account = await accounts.load(email);
    const passkey = account?.passkeys.find(({ id }) => handleOf(id) === handle);
    if (!account || !passkey) return { outcome: 'gone' };
    const waitSeconds = await this.#take(countersOf(email, 'passkeys-removed', 'removedPerAddress'));
    if (waitSeconds > 0) return { outcome: 'too often', waitSeconds };
    // First the mail: its owner must not lose a passkey without a word.
    await mails.sendRemoved({ ...account, passkey }, cause);
    const left = await accounts.remove(email, handle);
    return left === undefined ? { outcome: 'gone' } : { outcome: 'removed', left };
  }

  /** Restores a passkey that was removed. */
  async restore({ passkey, ...owner }: Owned, cause: Cause): Promise<RestoreResult> {
    const { accounts, mails } = this.#parts;
    const outcome = await accounts.tryAdding(owner, passkey);
    if (outcome !== 'added') return { outcome };
    const waitSeconds = await this.#take(countersOf(owner.email, 'passkeys-restored', 'restoredPerAddress'));
    if (waitSeconds > 0) return { outcome: 'too often', waitSeconds };
    // First the mail: its owner must not get a passkey back without a word, as whoever reads the mailbox can follow the link.
    await mails.sendRestored({ ...owner, passkey }, cause);
    return { outcome: await accounts.add(owner, passkey) };
  }

  async #verify(assertion: Assertion, { party }: Client): Promise<SignInResult> {
    const { challenges, accounts, isAllowed } = this.#parts;
    const { challenge, id: credentialId } = assertion;
    const found = await accounts.find(credentialId);
    if (typeof found === 'string') return { outcome: 'unknown', credentialId, wasRemoved: found === 'removed' };
    const { account, passkey } = found;
    const { email, userHandle } = account;
    const verified = await verifyAssertion(assertion, { passkey, userHandle, party });
    if (!isAllowed(email)) return { outcome: 'not allowed', email };
    if (!(await challenges.use(challenge))) return { outcome: 'expired' };
    const handle = handleOf(credentialId);
    const waitSeconds = await this.#take(countersOf(email, `passkey:${handle}`, 'signInsPerPasskey'));
    if (waitSeconds > 0) return { outcome: 'too often', waitSeconds, email };
    const use = { ...verified, lastUsedAt: now() };
    const recorded = await accounts.use(email, handle, use);
    if (!recorded) return { outcome: 'unknown', credentialId, wasRemoved: true };
    return { outcome: 'verified', account, passkey: { ...passkey, ...use }, counterBefore: recorded.counterBefore };
  }

  async #addVerified(
    { passkeys, ...owner }: Account,
    made: Omit<Passkey, 'name' | 'createdAt'>,
    client: Client,
  ): Promise<AddResult> {
    const { accounts, mails } = this.#parts;
    const { email } = owner;
    const waitSeconds = await this.#take(countersOf(email, 'passkeys-added', 'addedPerAddress'));
    if (waitSeconds > 0) return { outcome: 'too often', waitSeconds };
    const name = providerName(made.aaguid) ?? client.device;
    const passkey = { ...made, name, createdAt: now() };
    try {
      const outcome = await accounts.add(owner, passkey);
      if (outcome === 'other') return { outcome: 'expired' };
      if (outcome !== 'added') return { outcome };
      await mails.sendAdded({ ...owner, passkey }, client);
      return { outcome, passkey };
    } catch (error) {
      // Its owner was not told, so it must not stay; it may be stored whichever step failed. If this fails as well, it can.
      const wasThere = passkeys.some(({ id }) => id === passkey.id);
      if (!wasThere) await accounts.remove(email, handleOf(passkey.id));
      throw error;
    }
  }

  async #take(counters: Parameters<typeof takePoints>[1]): Promise<number> {
    return Math.ceil((await takePoints(this.#parts.redis, counters)) / 1000);
  }
}

type Refused = { outcome: 'refused'; problem: string };

async function orRefused<Result>(verify: () => Promise<Result>): Promise<Result | Refused> {
  try {
    return await verify();
  } catch (error) {
    if (!(error instanceof NotVerified)) throw error;
    return { outcome: 'refused', problem: error.message };
  }
}

function purposeOf(email: EmailAddress, userHandle: string): string {
  return `add ${userHandle} ${email}`;
}
