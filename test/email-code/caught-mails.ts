import type { Development } from '../../src/core.ts';
import { MailCatcher } from '../../src/dev/index.ts';
import type { Mail } from '../../src/features/mail/delivery.ts';

/** For `startApp()`: its mail catcher keeps its mails in this list. */
export function catchIn(mails: Mail[]): Partial<Development> {
  return {
    MailCatcher: class extends MailCatcher {
      override readonly mails = mails;
    },
  };
}
