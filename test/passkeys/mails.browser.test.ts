import { expect, test } from 'vitest';
import { PasskeyMailTemplates } from '../../src/features/passkeys/mail-templates.ts';
import { expectReadable } from '../mail/readable-mail.ts';
import { longestAddress } from '../support/address.ts';
import { useChromium } from '../support/browsing.ts';

const openProfile = useChromium(() => []);
const writer = new PasskeyMailTemplates('The Department of Long & Important Names');
const url = `https://login.example.com/passkeys/undo?token=${'t'.repeat(22)}`;
const about = { to: longestAddress, device: 'Firefox on Linux', url, now: 1_764_000_000_000 };
const known = { aaguid: 'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4', createdAt: 0 };
const unknown = { aaguid: '00000000-0000-0000-0000-000000000000', createdAt: 0 };

test.each([
  writer.added({ ...about, passkey: known }),
  writer.removed({ ...about, passkey: unknown }),
  writer.restored({ ...about, passkey: known }),
  writer.counter({ ...about, passkey: known }),
])('the mail "$subject" reads well, light and dark, on the smallest phone', async (mail) => {
  const page = await (await openProfile({ viewport: { width: 320, height: 640 } })).newPage();
  await expectReadable(page, mail);
});

test('a mail names the provider of the passkey, where it is known', () => {
  expect(writer.added({ ...about, passkey: known }).text).toContain('It is stored in Google Password Manager.');
  expect(writer.removed({ ...about, passkey: known }).text).toContain(
    'the Google Password Manager passkey that was added',
  );
  expect(writer.removed({ ...about, passkey: unknown }).text).toContain(
    'removed the passkey that was added on Thu, 1 Jan 1970',
  );
});
