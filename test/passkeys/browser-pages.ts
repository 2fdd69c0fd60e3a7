import type { Page } from 'playwright-core';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { newAddress, startCodeApp } from '../email-code/code-login.ts';
import { linkIn } from '../email-code/links.ts';
import { address } from '../support/address.ts';
import type { KnownPage, PageSite } from '../support/contributions.ts';
import { acceptOffer, namedOrigin, passkeyButton, signInByPages } from './browser.ts';
import { subjects } from './passkey-app.ts';
import { newPasskey } from './redis-uses.ts';
import { addAuthenticator } from './virtual-authenticator.ts';

/** The pages of passkeys in their telling states. */
export async function openSites(env: Record<string, string>): Promise<PageSite[]> {
  const app = await startCodeApp({ env });
  const accounts = new Accounts(app.redis);
  const url = namedOrigin(app);

  async function login(page: Page): Promise<void> {
    await page.goto(`${url}/login`);
    await passkeyButton(page).waitFor();
  }
  async function refused(page: Page): Promise<void> {
    await login(page);
    await page.evaluate("navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError'))");
    await passkeyButton(page).click();
    await page.getByRole('alert').filter({ hasText: /./ }).waitFor();
  }
  async function offered(page: Page): Promise<string> {
    const email = await signInByPages(app, page);
    await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
    return email;
  }
  /** Passkeys of every kind. */
  const withPasskeys = (count: number, path: string) => async (page: Page) => {
    const email = await offered(page);
    const account = await accounts.prepare(address(email));
    for (let number = 1; number <= count; number += 1) {
      const name = number === 1 ? 'The telephone in the drawer of the desk in the hall' : `Passkey ${number}`;
      const kind = { isSyncable: number % 3 > 0, isSynced: number % 3 === 1 };
      const used = number % 2 === 0 ? Date.now() : undefined;
      const aaguid = 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4';
      await accounts.add(account, {
        ...newPasskey(`passkey ${number} of ${email}`),
        ...kind,
        name,
        aaguid,
        lastUsedAt: used,
      });
    }
    const first = handleOf(`passkey 1 of ${email}`);
    await page.goto(url + path.replace('FIRST', first));
    await page.getByRole('heading', { level: 1 }).waitFor();
  };
  async function refusedName(page: Page): Promise<void> {
    await withPasskeys(1, '/passkeys/rename?passkey=FIRST')(page);
    await page.getByLabel('Name').fill(' ');
    await page.getByRole('button', { name: 'Save the name' }).click();
    await page.getByRole('alert').waitFor();
  }
  async function removed(page: Page): Promise<string> {
    await withPasskeys(1, '/passkeys/remove?passkey=FIRST')(page);
    await page.getByRole('button', { name: 'Remove the passkey' }).click();
    await page.getByText('It was your last one').waitFor();
    const email = await page.locator('strong.address').textContent();
    return linkIn(await app.mails.mailTo(email ?? '', subjects.removed));
  }
  async function added(page: Page): Promise<string> {
    const authenticator = await addAuthenticator(page);
    const email = newAddress();
    await signInByPages(app, page, { email });
    await acceptOffer(page, url);
    await authenticator.close();
    return linkIn(await app.mails.mailTo(email, subjects.added));
  }
  const undo = (change: (page: Page) => Promise<string>, button?: string) => async (page: Page) => {
    await page.goto(await change(page));
    if (button === undefined) return;
    await page.getByRole('button', { name: button }).click();
    await page.getByRole('heading', { name: / has been (removed|restored)/ }).waitFor();
  };
  async function again(page: Page): Promise<void> {
    await offered(page);
    await page.goto(`${url}/passkeys/add`);
    await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
  }

  const pages: KnownPage[] = [
    { name: 'login with passkeys', open: login },
    { name: 'login with passkeys, refused', open: refused },
    { name: 'the offer of a passkey', open: async (page) => void (await offered(page)) },
    { name: 'adding a passkey', open: again },
    { name: 'admin with passkeys', open: withPasskeys(0, '/admin') },
    { name: 'no passkeys', open: withPasskeys(0, '/passkeys') },
    { name: 'a few passkeys', open: withPasskeys(3, '/passkeys') },
    { name: 'as many passkeys as there can be', open: withPasskeys(20, '/passkeys') },
    { name: 'renaming a passkey', open: withPasskeys(1, '/passkeys/rename?passkey=FIRST') },
    { name: 'renaming a passkey, refused', open: refusedName },
    { name: 'removing a passkey', open: withPasskeys(1, '/passkeys/remove?passkey=FIRST') },
    { name: 'passkeys after the last was removed', open: async (page) => void (await removed(page)) },
    { name: 'undoing that a passkey was added', open: undo(added) },
    { name: 'undone that a passkey was added', open: undo(added, 'Remove it, and log out everywhere') },
    { name: 'undoing that a passkey was removed', open: undo(removed) },
    { name: 'undone that a passkey was removed', open: undo(removed, 'Restore it') },
  ];
  return [{ url, pages }];
}
