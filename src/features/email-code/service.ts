import type { Logger } from '../../log.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { tagIn, tagOf } from '../../session/session-id.ts';
import { auditAsked } from './audit-log.ts';
import type { Asked, Attempt, Challenge, Challenges, Granted } from './challenges.ts';
import { newCode } from './code.ts';
import type { Cause, CodeMails } from './code-mails.ts';
import { type KnownBrowsers, newDeviceId } from './known-browsers.ts';
import { guessCosts, mailCosts, type RateLimits, type WithheldReason } from './rate-limits.ts';

/** Who sent a request. */
export type Client = Cause & {
  ip: string | undefined;
  /** The cookie by which browsers are known. */
  deviceCookie: string | undefined;
};

/** A request for a code. */
export type CodeRequest = {
  email: EmailAddress;
  remember: boolean;
  /** The sign-in of this browser that it replaces. */
  previousId: string | undefined;
  /** What only another copy of the same request has, too. */
  seed: string | undefined;
};

/** The result of asking for a code. Visitors are not told if no mail leaves. */
export type AskResult = { outcome: 'asked'; id: string } | { outcome: 'too often'; waitSeconds: number };

/** The result of entering a code. */
export type EnterResult =
  /** The session is not stored yet: that takes the request. */
  | ({ outcome: 'right'; isNewBrowser: boolean } & Granted)
  | Extract<Attempt, { outcome: 'repeated' }>
  | { outcome: 'wrong'; waiting: Challenge; triesLeft: number; isRefused: boolean }
  | { outcome: 'too often'; waiting: Challenge | undefined; waitSeconds: number }
  | { outcome: 'over'; email: EmailAddress; remember: boolean }
  | { outcome: 'not waiting' };

type Parts = {
  challenges: Challenges;
  rateLimits: RateLimits;
  knownBrowsers: KnownBrowsers;
  mails: CodeMails;
  isAllowed: (email: EmailAddress) => boolean;
  log: Logger;
};

/**
 * Sign-in by a mailed code, without HTTP. Commands that don't depend on one another go to Redis together: asking takes
 * three round trips, entering a code four with the session. Every method throws `RedisUnavailable`.
 */
export class EmailCodeService {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Mails a code, and waits for it. Whether a mail leaves shows in nothing: the same commands go to Redis in the same
   * order, and a mail is composed and queued either way (ASVS 6.3.8).
   */
  async ask(request: CodeRequest, client: Client): Promise<AskResult> {
    const { challenges, rateLimits, knownBrowsers, mails, isAllowed } = this.#parts;
    const { email, remember, previousId, seed } = request;
    const tag = tagOf(email);
    const { candidate, isKnown } = knownBrowsers.lookUp(client.deviceCookie, tag);
    const [{ waitSeconds, hasMail: hasOverall }, known] = await Promise.all([
      rateLimits.takeAsk(client.ip, candidate !== undefined),
      isKnown,
    ]);
    if (waitSeconds > 0) return { outcome: 'too often', waitSeconds };
    const deviceId = known ? candidate : undefined;
    const isListed = isAllowed(email);
    const code = newCode();
    const id = challenges.idFor(email, seed);
    const mayBeMailed = isListed && (known || hasOverall);
    const asked = await challenges.ask(
      { id, code, email, remember, deviceId },
      { previousId, isAllowed: mayBeMailed, counters: mailCosts(tag, deviceId) },
    );
    const isMailed = asked.outcome === 'asked' && asked.isMailed;
    try {
      await Promise.all([
        // Should it fail, the hour has one mail less, which is nothing to refuse a visitor for.
        rateLimits.settleMail({ isGivenBack: hasOverall && (known || !isMailed) }).catch(() => {}),
        mails.sendCode({ to: email, code, deviceId, isWithheld: !isMailed }, client),
      ]);
    } catch (error) {
      // Or the same form, sent again, would be told that a code is on its way.
      if (asked.outcome === 'asked') await challenges.takeBack(id, asked.replaced).catch(() => {});
      throw error;
    }
    const reason = reasonOf(asked, { isListed, hasOverall: known || hasOverall });
    auditAsked(this.#parts.log, client, reason, email);
    return { outcome: 'asked', id };
  }

  /** The id of the sign-in that a form begins: the same for each copy of it, which is what `seed` stands for. */
  idFor(email: EmailAddress, seed: string | undefined): string {
    return this.#parts.challenges.idFor(email, seed);
  }

  /** The sign-ins with these ids that still wait for their codes, in the same order; one Redis command for each. */
  async waiting(ids: readonly string[]): Promise<Challenge[]> {
    const found = await Promise.all(ids.map((id) => this.#parts.challenges.find(id)));
    return found.flatMap((challenge) => waitingOnly(challenge) ?? []);
  }

  /**
   * Enters a code for the first of these sign-ins that it is right for. Each of them counts it as a guess.
   * @param ids of one browser
   */
  async enter(ids: readonly string[], code: string, client: Client): Promise<EnterResult> {
    let result: EnterResult = { outcome: 'not waiting' };
    for (const id of ids) {
      const next = await this.#enterOne(id, code, client);
      if (next.outcome === 'right' || next.outcome === 'repeated' || next.outcome === 'too often') return next;
      if (result.outcome !== 'wrong' && next.outcome !== 'not waiting') result = next;
    }
    return result;
  }

  /**
   * Grants once more what a code stands for that was entered before, but whose session was never stored.
   * @returns undefined where it was stored, and has ended since
   */
  async grantAgain(granted: Granted): Promise<Extract<EnterResult, { outcome: 'right' }> | undefined> {
    const { challenges, knownBrowsers } = this.#parts;
    if (!(await challenges.isReserved(granted))) return undefined;
    const isKnown = await knownBrowsers.isKnown(tagOf(granted.email), granted.deviceId);
    return { ...granted, outcome: 'right', isNewBrowser: !isKnown };
  }

  /**
   * Does what a sign-in needs besides its session; may run while that is stored.
   * @returns what to do once it is stored. Neither can fail
   */
  async prepareSignIn(
    granted: Extract<EnterResult, { outcome: 'right' }>,
    client: Client,
  ): Promise<() => Promise<void>> {
    const { mails, rateLimits, log } = this.#parts;
    if (granted.isNewBrowser) return mails.prepareNotice(granted, client);
    await rateLimits.giveBackSignIn(client.ip).catch((error: unknown) => {
      log.warn({ id: client.requestId, err: error }, 'the limits of a known browser were not given back');
    });
    return async () => {};
  }

  async #enterOne(id: string, code: string, client: Client): Promise<EnterResult> {
    const { challenges, rateLimits, knownBrowsers, isAllowed } = this.#parts;
    const tag = tagIn(id);
    const { candidate, isKnown } = knownBrowsers.lookUp(client.deviceCookie, tag);
    const [challenge, waitSeconds, known] = await Promise.all([
      challenges.find(id),
      rateLimits.takeGuess(client.ip, candidate !== undefined),
      isKnown,
    ]);
    if (waitSeconds > 0) return { outcome: 'too often', waiting: waitingOnly(challenge), waitSeconds };
    if (!challenge) return { outcome: 'not waiting' };
    const knownId = known ? candidate : undefined;
    const deviceId = knownId ?? newDeviceId();
    const attempt = await challenges.enter(challenge, code, {
      ...{ deviceId, isNewDevice: knownId === undefined && isAllowed(challenge.email) },
      counters: guessCosts(tag, knownId),
    });
    const { email, remember } = challenge;
    switch (attempt.outcome) {
      case 'right':
        // The list may have changed since the code was mailed.
        if (!isAllowed(email)) {
          await challenges.revoke(attempt);
          return { outcome: 'over', email, remember };
        }
        return { ...attempt, ...(await this.#recognize(attempt, { knownId, deviceId })) };
      case 'repeated':
        return isAllowed(email) ? attempt : { outcome: 'over', email, remember };
      case 'wrong':
        return { ...attempt, waiting: challenge };
      case 'over':
        return { outcome: 'over', email, remember };
    }
  }

  // The code may have been asked for as a known browser, and entered without the cookie: it must not get a second id,
  // with counters of its own, unless its owner has made it forgotten meanwhile.
  async #recognize(
    { email, deviceId: askedWith }: Granted,
    { knownId, deviceId }: { knownId: string | undefined; deviceId: string },
  ): Promise<{ deviceId: string; isNewBrowser: boolean }> {
    if (askedWith === deviceId) return { deviceId, isNewBrowser: knownId === undefined };
    const { knownBrowsers } = this.#parts;
    const tag = tagOf(email);
    if (await knownBrowsers.isKnown(tag, askedWith)) return { deviceId: askedWith, isNewBrowser: false };
    await knownBrowsers.awaitNotice(tag, deviceId);
    return { deviceId, isNewBrowser: true };
  }
}

function waitingOnly(challenge: Challenge | undefined): Challenge | undefined {
  return challenge?.state === 'waiting' ? challenge : undefined;
}

function reasonOf(
  asked: Asked,
  { isListed, hasOverall }: { isListed: boolean; hasOverall: boolean },
): WithheldReason | undefined {
  if (asked.outcome === 'repeated' || asked.isMailed) return undefined;
  if (!isListed) return 'not in ALLOWED_EMAILS';
  if (asked.refusedBy?.cost === 0) return 'enough guesses for now';
  return hasOverall ? 'enough mail for now' : 'MAILS_PER_HOUR';
}
