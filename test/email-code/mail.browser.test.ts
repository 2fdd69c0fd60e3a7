import { test } from 'vitest';
import { expectReadable } from '../mail/readable-mail.ts';
import { useChromium } from '../support/browsing.ts';
import { sampleMails } from './browser-pages.ts';

// No origin at all: a mail loads nothing, so that nobody sees when and where it is read.
const openProfile = useChromium(() => []);

test.each(sampleMails)('the mail "$subject" reads well, light and dark, on the smallest phone', async (mail) => {
  const page = await (await openProfile({ viewport: { width: 320, height: 640 } })).newPage();
  await expectReadable(page, mail);
});
