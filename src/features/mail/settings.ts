import { z } from 'zod';
import { isDecodable } from '../../http/url.ts';
import { parseAddress } from '../../session/email-address.ts';
import { featureSettings } from '../../settings/feature.ts';
import { optional, url } from '../../settings/setting.ts';

export const mailSettings = featureSettings({
  title: 'Mail',
  settings: {
    SMTP_URL: optional({
      about: 'The mail server, such as smtp://user:password@mail.example.com:587, or smtps://',
      isSecret: true,
      unset: 'mail is not sent; in development it can be read at /dev/mails',
      read: url(
        /^smtps?:$/,
        ({ username, password, pathname, search, hash }) =>
          isDecodable(username + password) && /^\/?(?:\?tls=optional)?$/.test(pathname + search + hash),
        'takes a URL such as smtp://user:password@mail.example.com:587, with special characters in the password percent-encoded; ?tls=optional is the only option',
      ),
    }),
    MAIL_FROM: optional({
      about: 'The sender of all mail, such as Latchkey <login@example.com>.',
      unset: 'login@ the host of BASE_URL',
      read: z
        .string()
        .refine(
          (text) => 'email' in parseAddress(/<([^<>]+)>$/.exec(text)?.[1] ?? text),
          'takes an address, or a name and an address: Latchkey <login@example.com>',
        ),
    }),
  },
  read: ({ SMTP_URL, MAIL_FROM, BASE_URL, SITE_NAME }) => ({
    smtpUrl: SMTP_URL,
    from: MAIL_FROM ?? `${SITE_NAME} <login@${new URL(BASE_URL ?? 'http://localhost').hostname}>`,
  }),
});
