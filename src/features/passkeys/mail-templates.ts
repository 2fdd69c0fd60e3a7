import { formatTime } from '../../http/date-format.ts';
import type { SiteLook } from '../../shared/site-look.ts';
import type { Mail } from '../mail/delivery.ts';
import { MailWriter } from '../mail/mail-writer.ts';
import { undoSeconds } from './accounts.ts';
import { providerName } from './providers.ts';
import type { Passkey } from './record.ts';

/** What a mail tells: of which passkey, where it happened, and the link that undoes it. */
export type PasskeyMail = {
  to: string;
  passkey: Pick<Passkey, 'aaguid' | 'createdAt'>;
  device: string;
  url: string;
  now: number;
};

/**
 * Writes the mails about passkeys, each as text and as HTML. They name a passkey by its provider, never by the name that
 * somebody gave it: whoever has got into a session must not write to the owner of its address in our name.
 */
export class PasskeyMailTemplates {
  readonly #siteName: string;
  readonly #writer: MailWriter;

  constructor(siteName: string, look?: SiteLook) {
    this.#siteName = siteName;
    this.#writer = new MailWriter(look);
  }

  added({ to, passkey, device, url, now }: PasskeyMail): Mail {
    const site = this.#siteName;
    const provider = providerName(passkey.aaguid);
    return this.#writer.write(to, `A passkey was added for ${site}`, {
      heading: `A passkey was added for ${site}`,
      lines: [
        `On ${formatTime(now)}, ${device} added it to your address.${provider === undefined ? '' : ` It is stored in ${provider}.`}`,
        'Whoever has it can log in as you, without a code.',
        'If this was you, there is nothing to do.',
      ],
      link: { label: 'If it was not you, remove it and log out everywhere:', button: 'Remove the passkey', url },
      last: [
        'Only somebody who is logged in as you can add one. If it was not you, find out who else can read your mail or use your devices.',
      ],
    });
  }

  removed({ to, passkey, device, url, now }: PasskeyMail): Mail {
    const site = this.#siteName;
    return this.#writer.write(to, `A passkey was removed from ${site}`, {
      heading: `A passkey was removed from ${site}`,
      lines: [
        `On ${formatTime(now)}, ${device} removed ${describe(passkey)}.`,
        'Nobody can log in with it any more. You can still log in with a code by mail.',
        'If this was you, there is nothing to do.',
      ],
      link: {
        label: `If it was not you, restore it. This works until ${formatTime(now + undoSeconds * 1000)}:`,
        button: 'Restore the passkey',
        url,
      },
      last: [
        'Only somebody who is logged in as you can remove one. If it was not you, find out who else can read your mail or use your devices.',
      ],
    });
  }

  restored({ to, passkey, device, url, now }: PasskeyMail): Mail {
    const site = this.#siteName;
    return this.#writer.write(to, `A passkey was restored for ${site}`, {
      heading: `A passkey was restored for ${site}`,
      lines: [
        `On ${formatTime(now)}, ${device} restored ${describe(passkey)}, with the link in the mail about its removal.`,
        'Whoever has it can log in as you again, without a code.',
        'If this was you, there is nothing to do.',
      ],
      link: { label: 'If it was not you, remove it and log out everywhere:', button: 'Remove the passkey', url },
      last: [
        'Only somebody who can read your mail can restore one. If it was not you, change the password of your mailbox.',
      ],
    });
  }

  /** Reports a signature counter that went backwards (WebAuthn, 6.1.1). */
  counter({ to, passkey, device, url, now }: PasskeyMail): Mail {
    const site = this.#siteName;
    return this.#writer.write(to, `Check your passkey for ${site}`, {
      heading: `Check your passkey for ${site}`,
      lines: [
        `On ${formatTime(now)}, ${device} logged in with ${describe(passkey)}.`,
        'Its sign-in counter went backwards, which can mean that somebody has copied it.',
        'There are harmless reasons, too: a device was reset or restored, or the passkey was moved to another app.',
      ],
      link: {
        label: 'If none of that fits, remove the passkey and log out everywhere:',
        button: 'Remove the passkey',
        url,
      },
      last: ['You can still log in with a code by mail, and then add a new passkey.'],
    });
  }
}

function describe({ aaguid, createdAt }: PasskeyMail['passkey']): string {
  const provider = providerName(aaguid);
  return `the ${provider === undefined ? '' : `${provider} `}passkey that was added on ${formatTime(createdAt)}`;
}
