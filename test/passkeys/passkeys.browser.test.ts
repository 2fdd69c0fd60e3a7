import type { BrowserContextOptions, Page, Route } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { enterCode, stopClock } from '../email-code/browser.ts';
import { newAddress, newIp, startCodeApp } from '../email-code/code-login.ts';
import { linkIn } from '../email-code/links.ts';
import { address } from '../support/address.ts';
import { endSessionOnSubmit, loginButton } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { acceptOffer, namedOrigin, passkeyButton, signInByPages } from './browser.ts';
import { subjects } from './passkey-app.ts';
import { addAuthenticator, type VirtualAuthenticator } from './virtual-authenticator.ts';

const app = await startCodeApp();
const origin = namedOrigin(app);
const accounts = new Accounts(app.redis);
const openProfile = useChromium(() => [origin]);

afterEach(() => {
  vi.useRealTimers();
});

/** A tab of a profile of its own, with an authenticator. Chromium notes refused requests of scripts in the console. */
async function openTab(
  profile: BrowserContextOptions = {},
  { holdsField = true }: { holdsField?: boolean } = {},
): Promise<{ page: Page; authenticator: VirtualAuthenticator }> {
  const expectedNoise = /^Failed to load resource: (the server responded with a status of (4|50)|net::ERR_FAILED)/;
  const context = await openProfile({ extraHTTPHeaders: { 'X-Forwarded-For': newIp() }, expectedNoise, ...profile });
  const page = await context.newPage();
  await page.addInitScript(noteRequests(holdsField));
  return { page, authenticator: await addAuthenticator(page, { isPresent: false }) };
}

/**
 * Notes in the page what it asks its browser for: `conditional` in the address field, `modal` by the button, and how a
 * request failed.
 * @param holdsField whether the address field's request waits in the page: by the time that the authenticator gets it, a
 * test may have made the user present for the button, and the page would be left before the button is pressed
 */
const noteRequests = (holdsField: boolean) => `
  const { get } = CredentialsContainer.prototype;
  CredentialsContainer.prototype.get = function (options) {
    const { mediation = 'modal', signal } = options;
    const notes = (globalThis.passkeyRequests ??= []);
    notes.push(mediation);
    const asked = ${holdsField} && mediation === 'conditional'
      ? new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
      : get.call(this, options);
    asked.catch(({ name }) => notes.push(mediation + ': ' + name));
    return asked;
  };`;

/** Somebody who has signed in by code, and has added a passkey where that was offered; signed out again. */
async function member(
  options: Parameters<typeof openTab>[1] = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<{ page: Page; authenticator: VirtualAuthenticator; email: string }> {
  const { page, authenticator } = await openTab({}, options);
  await prepare(page);
  const email = await signInByPages(app, page);
  await authenticator.setPresent(true);
  await acceptOffer(page, origin);
  await authenticator.setPresent(false);
  await page.getByRole('navigation').getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${origin}/`);
  return { page, authenticator, email };
}

/** What waits at it goes on once it is opened. */
function newGate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((done) => {
    open = done;
  });
  return { opened, open: () => open() };
}

/** How often a page has asked for a challenge so far. */
function countChallenges(page: Page): () => number {
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/login/passkey/options')) asked += 1;
  });
  return () => asked;
}

/** Makes a page believe that its tab went to the background, or came back: tabs of headless Chromium are always seen. */
async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));`);
}

/** What a screen reader is told at once. */
function problem(page: Page): Promise<string | null> {
  return page.getByRole('alert').filter({ hasText: /./ }).textContent();
}

/** Has the authenticator answer whatever is asked next, once the address field has asked. */
async function setReadyForButton(page: Page, authenticator: VirtualAuthenticator): Promise<void> {
  await untilFieldAsks(page);
  await authenticator.setPresent(true);
}

function requests(page: Page): Promise<unknown> {
  return page.evaluate('globalThis.passkeyRequests ?? []');
}

/** Not by `waitForFunction`: it evaluates text in the page, which the Content-Security-Policy forbids. */
async function untilFieldAsks(page: Page): Promise<void> {
  await expect.poll(() => requests(page)).toContain('conditional');
}

async function logInByButton(page: Page, authenticator: VirtualAuthenticator, path = '/login'): Promise<void> {
  await page.goto(origin + path);
  await setReadyForButton(page, authenticator);
  await passkeyButton(page).click();
}

describe('logging in', () => {
  test('one press of a button leads where the visitor was going, without an address', async () => {
    const { page, authenticator, email } = await member();
    await page.goto(`${origin}/admin?from=mail`);
    await page.getByLabel('Keep me signed in').check();
    await setReadyForButton(page, authenticator);
    await passkeyButton(page).click();
    await page.getByRole('heading', { name: `Hello ${email}` }).waitFor();
    expect(page.url()).toBe(`${origin}/admin?from=mail`);
    expect(await page.getByRole('main').textContent()).toContain(', with a passkey');
    const [session] = (await page.context().cookies()).filter(({ name }) => name === 'session');
    expect(session?.expires).toBeGreaterThan(Date.now() / 1000);
    expect(authenticator.signals).toEqual([]);
  });

  test('the button takes the place of what the address field asks for', async () => {
    const { page } = await openTab({}, { holdsField: false });
    await page.goto(`${origin}/login`);
    await untilFieldAsks(page);
    await passkeyButton(page).click();
    await expect.poll(() => requests(page)).toEqual(['conditional', 'conditional: AbortError', 'modal']);
  });

  test('the browser offers the passkey in the address field', async () => {
    const { page, authenticator, email } = await member({ holdsField: false });
    await authenticator.setPresent(true);
    await page.goto(`${origin}/login?next=/admin?n=1`);
    await page.waitForURL(`${origin}/admin?n=1`);
    expect(await heading(page)).toBe(`Hello ${email}`);
    expect(await page.getByLabel('E-mail address').count()).toBe(0);
    await page.context().clearCookies();
    await authenticator.setPresent(false);
    await page.goto(`${origin}/login`);
    const field = page.getByLabel('E-mail address');
    expect(await field.getAttribute('autocomplete')).toBe('username webauthn');
    expect(await field.evaluate((input) => input === document.activeElement)).toBe(true);
  });

  test('a click on the button counts while the browser is still checking for autofill support', async () => {
    const { page, authenticator, email } = await member();
    await page.addInitScript(`
      const late = new Promise((done) => { globalThis.findOut = () => done(true); });
      PublicKeyCredential.isConditionalMediationAvailable = () => late;`);
    const answers = newGate();
    await page.route('**/login/passkey/options', async (route) => {
      await answers.opened;
      await route.continue();
    });
    await page.goto(`${origin}/login`);
    const challenges = countChallenges(page);
    await authenticator.setPresent(true);
    await passkeyButton(page).click();
    await expect.poll(challenges).toBe(1);
    await page.evaluate('findOut()');
    answers.open();
    await page.getByRole('heading', { name: `Hello ${email}` }).waitFor();
    expect(challenges()).toBe(1);
  });

  test('whoever walks away from the dialog logs in with a code all the same', async () => {
    const { page, email } = await member();
    await page.goto(`${origin}/login`);
    await passkeyButton(page).click();
    await page.getByLabel('E-mail address').fill(email);
    await loginButton(page).click();
    await page.waitForURL(`${origin}/login/code`);
    await enterCode(page, await app.mails.codeFor(email, 2));
    expect(page.url()).toBe(`${origin}/admin`);
  });

  test('an authenticator that can’t be unlocked is told at the button, which keeps the focus', async () => {
    const { page, authenticator } = await member();
    await authenticator.setVerified(false);
    await page.goto(`${origin}/login`);
    await passkeyButton(page).focus();
    await setReadyForButton(page, authenticator);
    await page.keyboard.press('Enter');
    await expect.poll(() => problem(page)).toBe('No passkey was used. Try again, or log in with your e-mail address.');
    expect(await passkeyButton(page).evaluate((button) => button === document.activeElement)).toBe(true);
  });

  test('a passkey that its owner has deleted there is none; here it can be removed', async () => {
    const { page, authenticator, email } = await member();
    const [credential] = await authenticator.credentials();
    await authenticator.remove(credential?.credentialId ?? '');
    await logInByButton(page, authenticator);
    await expect.poll(() => problem(page)).toContain('No passkey was used.');
    await authenticator.setPresent(false);
    await signInByPages(app, page, { email, count: 2 });
    await page.goto(`${origin}/passkeys`);
    await page.getByRole('link', { name: 'Remove passkey 1 of 1' }).click();
    await page.getByRole('button', { name: 'Remove the passkey' }).click();
    await page.getByText('It was your last one').waitFor();
  });

  test('a passkey that was removed here gets nobody in, its provider is told, and the field waits for another', async () => {
    const { page, authenticator, email } = await member();
    const asked = countChallenges(page);
    const [stored] = (await accounts.load(address(email)))?.passkeys ?? [];
    // On another device.
    await signInByPages(app, (await openTab()).page, { email, count: 2 });
    await accounts.remove(address(email), handleOf(stored?.id ?? ''));
    await logInByButton(page, authenticator);
    await expect
      .poll(() => problem(page))
      .toBe('This passkey has been removed. Log in with your e-mail address instead.');
    await expect.poll(() => authenticator.signals).toEqual(['deleted']);
    expect(await authenticator.credentials()).toEqual([]);
    // As the page was opened, for the button, and since.
    await expect.poll(asked).toBeGreaterThanOrEqual(3);
  });

  test('a copy with an old counter gets in, and the owner of the address is told', async () => {
    const { page, authenticator, email } = await member();
    const [copy] = await authenticator.credentials();
    if (!copy) throw new Error('there is no credential');
    await logInByButton(page, authenticator);
    await page.waitForURL(`${origin}/admin`);
    await page.context().clearCookies();
    await authenticator.setPresent(false);
    await authenticator.remove(copy.credentialId);
    await authenticator.add({ ...copy, signCount: 0 });
    await logInByButton(page, authenticator);
    await page.waitForURL(`${origin}/admin`);
    const link = linkIn(await app.mails.mailTo(email, subjects.counter));
    await page.goto(link);
    await page.getByRole('button', { name: 'Remove it, and log out everywhere' }).click();
    await page.getByRole('heading', { name: 'The passkey has been removed' }).waitFor();
    await expect.poll(() => authenticator.credentials()).toEqual([]);
    await page.goto(`${origin}/admin`);
    expect(await heading(page)).toBe('Please login first.');
  });

  test('on a slow network the page says what it does, and sends one answer', async () => {
    const { page, authenticator } = await member();
    let sent = 0;
    const gate = newGate();
    await page.route('**/login/passkey', async (route) => {
      sent += 1;
      await gate.opened;
      await route.continue();
    });
    await logInByButton(page, authenticator);
    await page.getByRole('status').filter({ hasText: 'Checking your passkey…' }).waitFor();
    await passkeyButton(page).click();
    gate.open();
    await page.waitForURL(`${origin}/admin`);
    expect(sent).toBe(1);
  });

  test('where the server takes its time the page says so, ignores a second press, and gives up after 15 s', async () => {
    const { page } = await openTab();
    await page.addInitScript(`
      const { timeout } = AbortSignal;
      AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms === 15_000 && globalThis.isLate ? 300 : ms);`);
    await page.goto(`${origin}/login`);
    await untilFieldAsks(page);
    const challenges = countChallenges(page);
    await page.route('**/login/passkey/options', () => {});
    await passkeyButton(page).click();
    const notes = page.getByRole('status').filter({ hasText: 'One moment…' });
    await notes.waitFor();
    await passkeyButton(page).click();
    expect([challenges(), await notes.count()]).toEqual([1, 1]);

    await page.reload();
    await page.evaluate('globalThis.isLate = true');
    await passkeyButton(page).click();
    await expect.poll(() => problem(page)).toBe('That did not work just now. Check your connection, then try again.');
    expect(await notes.count()).toBe(0);
  });

  test.each([
    [502, 'That did not work just now. Please try again in a few seconds.'],
    [200, 'That did not work just now. Check your connection, then try again.'],
  ])('an answer with %i that is not from Latchkey is told apart', async (status, words) => {
    const { page } = await openTab();
    await page.goto(`${origin}/login`);
    await untilFieldAsks(page);
    await page.route('**/login/passkey/options', (route) =>
      route.fulfill({ status, contentType: 'text/html', body: '<h1>Hello</h1>' }),
    );
    await passkeyButton(page).click();
    await expect.poll(() => problem(page)).toBe(words);
  });

  test('the note goes when the browser asks for the passkey, and comes again with another press', async () => {
    const { page } = await openTab();
    await page.goto(`${origin}/login`);
    await untilFieldAsks(page);
    const notes = page.getByRole('status').filter({ hasText: /./ });
    await passkeyButton(page).click();
    await expect.poll(() => requests(page)).toContain('modal');
    expect(await notes.count()).toBe(0);
    // The second press takes the place of the first one, whose end must not hide that the page waits.
    await page.route('**/login/passkey/options', () => {});
    await passkeyButton(page).click();
    await expect.poll(() => requests(page)).toContain('modal: AbortError');
    expect(await notes.textContent()).toBe('One moment…');
  });

  test('without a network it fails in words, and works once there is one', async () => {
    const { page, authenticator } = await member();
    await page.goto(`${origin}/login`);
    await setReadyForButton(page, authenticator);
    await page.route('**/login/passkey/options', (route) => route.abort());
    let failed = 0;
    page.on('requestfailed', (request) => {
      if (request.url().endsWith('/login/passkey/options')) failed += 1;
    });
    for (let tries = 1; tries <= 2; tries += 1) {
      await passkeyButton(page).click();
      await expect.poll(() => problem(page)).toBe('That did not work just now. Check your connection, then try again.');
      // The button's request, and then the field's: if it asked once there is a network, it would log in by itself.
      await expect.poll(() => failed).toBe(2 * tries);
    }
    await page.unrouteAll();
    await passkeyButton(page).click();
    await page.waitForURL(`${origin}/admin`);
  });

  test('a page that stays open asks for a new challenge before the old one is too old', async () => {
    const { page } = await openTab();
    const asked = countChallenges(page);
    await stopClock(page);
    await page.goto(`${origin}/login`);
    await expect.poll(asked).toBe(1);
    await page.clock.runFor(239_000);
    expect(asked()).toBe(1);
    await page.clock.runFor(2000);
    await expect.poll(asked).toBe(2);
  });

  test('whoever presses the button long after the page was opened has five minutes, too', async () => {
    const { page, authenticator } = await member();
    await page.clock.install();
    const asked = countChallenges(page);
    await page.goto(`${origin}/login`);
    await expect.poll(asked).toBe(1);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 200_000);
    await page.clock.runFor(200_000);
    const gate = newGate();
    await page.route('**/login/passkey', async (route) => {
      await gate.opened;
      await route.continue();
    });
    await setReadyForButton(page, authenticator);
    await passkeyButton(page).click();
    await page.getByText('Checking your passkey…').waitFor();
    vi.setSystemTime(Date.now() + 290_000);
    gate.open();
    await page.waitForURL(`${origin}/admin`);
  });

  test('a tab in the background asks for nothing, until somebody sees it again', async () => {
    const { page } = await openTab();
    const asked = countChallenges(page);
    await page.clock.install();
    await page.goto(`${origin}/login`);
    await expect.poll(asked).toBe(1);
    await setHidden(page, true);
    await page.clock.runFor(3_600_000);
    expect(asked()).toBe(1);
    await setHidden(page, false);
    await expect.poll(asked).toBe(2);
    await page.clock.runFor(241_000);
    await expect.poll(asked).toBe(3);
  });

  test('a form that outlived its session is still there to be sent', async () => {
    const { page, authenticator, email } = await member();
    await logInByButton(page, authenticator);
    await page.waitForURL(`${origin}/admin`);
    await authenticator.setPresent(false);
    await page.goto(`${origin}/passkeys`);
    await page.getByRole('link', { name: 'Rename passkey 1 of 1' }).click();
    await page.getByLabel('Name').fill('Telephone');
    const loseSession = () => page.context().clearCookies({ name: 'session' });
    await endSessionOnSubmit(page, '/passkeys/rename', loseSession);
    await page.getByRole('button', { name: 'Save the name' }).click();
    await page.getByRole('heading', { name: 'Please login first.' }).waitFor();
    await setReadyForButton(page, authenticator);
    await passkeyButton(page).click();
    await page.getByText('You are logged in. Go on with what you were doing on this page.').waitFor();
    await page.getByRole('button', { name: 'Send it again' }).click();
    await page.getByText('The passkey is called Telephone now.').waitFor();
    expect((await accounts.load(address(email)))?.passkeys[0]?.name).toBe('Telephone');
  });
});

describe('the offer after a sign-in by code', () => {
  test('comes once, and leads on to where the visitor was going', async () => {
    const { page, authenticator } = await openTab();
    const email = newAddress();
    await page.goto(`${origin}/login?next=/admin?from=mail`);
    await page.getByLabel('E-mail address').fill(email);
    await untilFieldAsks(page);
    await loginButton(page).click();
    await page.waitForURL(`${origin}/login/code`);
    await enterCode(page, await app.mails.codeFor(email));
    expect(await heading(page)).toBe('Log in without a code next time');
    await authenticator.setPresent(true);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.waitForURL(`${origin}/admin?from=mail`);
    expect(await authenticator.credentials()).toMatchObject([{ isResidentCredential: true, rpId: 'localhost' }]);
    await app.mails.mailTo(email, subjects.added);
  });

  test('"Not now" is remembered by the browser, for every address', async () => {
    const { page } = await openTab();
    const email = await signInByPages(app, page);
    await page.getByRole('link', { name: 'Not now' }).click();
    await page.waitForURL(`${origin}/admin`);
    for (const person of [{ email, count: 2 }, {}]) {
      await page.context().clearCookies({ name: 'session' });
      await signInByPages(app, page, person);
      expect(page.url()).toBe(`${origin}/admin`);
    }
  });

  test.each([
    ['without JavaScript', { javaScriptEnabled: false }, undefined],
    ['in a browser that is too old', {}, 'delete PublicKeyCredential.parseRequestOptionsFromJSON'],
    ['in a browser without WebAuthn', {}, 'delete window.PublicKeyCredential'],
  ])(
    'and everything else about passkeys is missing %s, where the code works as ever',
    async (_name, options, script) => {
      const { page } = await openTab(options);
      if (script !== undefined) await page.addInitScript(script);
      const requests: string[] = [];
      page.on('request', (request) => requests.push(new URL(request.url()).pathname));
      await page.goto(`${origin}/login`);
      expect(
        await page
          .getByText(/passkey/i)
          .filter({ visible: true })
          .count(),
      ).toBe(0);
      await signInByPages(app, page);
      expect(page.url()).toBe(`${origin}/admin`);
      expect(
        await page
          .getByText(/passkey/i)
          .filter({ visible: true })
          .count(),
      ).toBe(0);
      expect(requests.filter((path) => path.startsWith('/login/passkey'))).toEqual([]);
    },
  );
});

describe('adding a passkey', () => {
  test('is one press of a button on the page of the sessions, and is refused where one is already', async () => {
    const { page, authenticator } = await openTab();
    const email = await signInByPages(app, page);
    await page.goto(`${origin}/admin`);
    await authenticator.setPresent(true);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.waitForURL(`${origin}/passkeys`);
    expect(await page.getByRole('status').filter({ hasText: /./ }).textContent()).toContain(
      'The passkey has been added.',
    );
    expect(await page.getByRole('listitem').textContent()).toContain('Chrome on Linux Synced');
    await expect.poll(() => authenticator.signals).toContain('updated');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await expect.poll(() => problem(page)).toBe('There is already a passkey for this address. You can log in with it.');
    expect((await accounts.load(address(email)))?.passkeys).toHaveLength(1);
  });

  test('asks for a login first when the last one is more than ten minutes ago', async () => {
    const { page, authenticator, email } = await member();
    await page.goto(`${origin}/login`);
    await page.getByLabel('Keep me signed in').check();
    await setReadyForButton(page, authenticator);
    await passkeyButton(page).click();
    await page.waitForURL(`${origin}/admin`);
    await authenticator.setPresent(false);
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 601_000);
    await page.goto(`${origin}/admin`);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.waitForURL(`${origin}/passkeys/add`);
    expect(await heading(page)).toBe('Please log in again to continue.');
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(email);
    expect(await page.getByLabel('Keep me signed in').isChecked()).toBe(true);
    await setReadyForButton(page, authenticator);
    await passkeyButton(page).click();
    await page.getByRole('heading', { name: 'Add a passkey' }).waitFor();
  });

  test('that is left undone says so, and can be tried again', async () => {
    const { page, authenticator } = await openTab();
    await signInByPages(app, page);
    await authenticator.setVerified(false);
    await authenticator.setPresent(true);
    const gate = newGate();
    await page.route('**/passkeys/options', async (route) => {
      await gate.opened;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('status').filter({ hasText: 'One moment…' }).waitFor();
    gate.open();
    await expect.poll(() => problem(page)).toBe('No passkey was added. You can try again whenever you like.');
    await authenticator.setVerified(true);
    await acceptOffer(page, origin);
  });

  test.each([
    ['an error of ours', (route: Route) => route.fulfill({ status: 503, json: { error: 'Not just now.' } })],
    ['that of a proxy', (route: Route) => route.fulfill({ status: 504, body: '<h1>Timeout</h1>' })],
    ['none at all', (route: Route) => route.abort()],
  ])('is not taken back where the answer does not say that nothing was added: %s', async (_what, answer) => {
    const { page, authenticator } = await openTab();
    await signInByPages(app, page);
    await page.route('**/passkeys', answer);
    await authenticator.setPresent(true);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await expect.poll(() => problem(page)).toContain('The passkey may have been added');
    expect([await authenticator.credentials(), authenticator.signals]).toEqual([[expect.anything()], []]);
  });

  test('adds nothing to somebody else who logs in in another tab meanwhile', async () => {
    const { page, authenticator } = await openTab();
    const ann = await signInByPages(app, page);
    await page.goto(`${origin}/admin`);
    // A page that has not heard yet who is signed in now.
    const answers: number[] = [];
    page.on('response', (response) => {
      if (new URL(response.url()).pathname === '/passkeys') answers.push(response.status());
    });
    const gate = newGate();
    await page.route('**/passkeys', async (route) => {
      await gate.opened;
      await route.continue();
    });
    await page.route('**/session-owner', (route) => route.abort()); // feature: session-guard
    await authenticator.setPresent(true);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('Adding your passkey…').waitFor();
    await page.context().clearCookies({ name: 'session' });
    const other = await page.context().newPage();
    const bob = await signInByPages(app, other);
    await page.bringToFront();
    gate.open();
    await expect.poll(() => problem(page)).toContain('Somebody else has logged in in this browser.');
    expect(answers).toEqual([409]);
    await expect.poll(() => authenticator.signals).toEqual(['deleted']);
    expect((await accounts.load(address(bob)))?.passkeys ?? []).toEqual([]);
    expect((await accounts.load(address(ann)))?.passkeys).toEqual([]);
  });
});

/**
 * Answers as extensions of password managers do: with objects that look like the browser's own, and on which its methods
 * throw, such as `toJSON()` and `getTransports()`.
 */
const likeAnExtension = `
  const parts = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  const imitate = (original, values) => Object.setPrototypeOf(
    Object.defineProperties({}, Object.getOwnPropertyDescriptors(values)), Object.getPrototypeOf(original));
  for (const method of ['create', 'get']) {
    const ask = CredentialsContainer.prototype[method];
    CredentialsContainer.prototype[method] = async function (options) {
      const credential = await ask.call(this, options);
      const { id, rawId, type, response } = credential;
      const own = parts.filter((name) => response[name]).map((name) => [name, response[name]]);
      return imitate(credential, { id, rawId, type, response: imitate(response, Object.fromEntries(own)) });
    };
  }`;

test('a password manager whose answers are objects of its own adds a passkey, and logs in with it', async () => {
  const { page, authenticator, email } = await member({}, (page) => page.addInitScript(likeAnExtension));
  await logInByButton(page, authenticator);
  await page.getByRole('heading', { name: `Hello ${email}` }).waitFor();
});

test.each(['/passkeys', '/passkeys/add'])('%s says so where the browser can add none', async (path) => {
  const { page } = await openTab();
  const note = page.getByText('This browser can’t add a passkey');
  await signInByPages(app, page);
  await page.goto(origin + path);
  await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
  expect(await note.isVisible()).toBe(false);
  await page.addInitScript('delete window.PublicKeyCredential');
  await page.goto(origin + path);
  await note.waitFor();
  expect(await page.getByRole('button', { name: 'Add a passkey' }).count()).toBe(0);
});

test('no button of passkeys is printed', async () => {
  const { page } = await openTab();
  await page.goto(`${origin}/login`);
  const login = page.getByRole('button', { name: 'Log in with a passkey' });
  await login.waitFor();
  await page.emulateMedia({ media: 'print' });
  expect(await login.count()).toBe(0);
  await page.emulateMedia({ media: 'screen' });
  await signInByPages(app, page);
  await page.goto(`${origin}/passkeys`);
  await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
  await page.emulateMedia({ media: 'print' });
  expect(await page.getByRole('button', { name: 'Add a passkey' }).count()).toBe(0);
});

test('without JavaScript, passkeys are renamed and removed, and the page says what adding takes', async () => {
  const { email } = await member();
  const { page } = await openTab({ javaScriptEnabled: false });
  await signInByPages(app, page, { email, count: 2 });
  await page.goto(`${origin}/passkeys`);
  expect(await page.content()).toContain('<noscript><p>Adding a passkey needs JavaScript');
  expect(await page.getByRole('button', { name: 'Add a passkey' }).count()).toBe(0);
  await page.getByRole('link', { name: 'Rename passkey 1 of 1' }).click();
  await page.getByLabel('Name').fill('Old phone');
  await page.getByRole('button', { name: 'Save the name' }).click();
  await page.getByRole('link', { name: 'Remove passkey 1 of 1: Old phone' }).click();
  await page.getByRole('button', { name: 'Remove the passkey' }).click();
  expect(await page.getByRole('status').textContent()).toContain('It was your last one');
  await page.goto(linkIn(await app.mails.mailTo(email, subjects.removed)));
  await page.getByRole('button', { name: 'Restore it' }).click();
  expect(await heading(page)).toBe('The passkey has been restored');
});
