import * as z from 'zod';
import { featureSettings } from '../../settings/feature.ts';
import { optional, readBy } from '../../settings/setting.ts';
import { readLogo } from './logo.ts';

export const brandingSettings = featureSettings({
  title: 'Logo and color',
  settings: {
    SITE_LOGO: optional({
      about:
        'The path of an SVG or PNG file of at most 200 kB, for the head of each page and as its icon. Mails show a PNG only, since mail programs show no SVG.',
      unset: "Latchkey's own",
      read: readBy(readLogo),
    }),
    SITE_COLOR: optional({
      about:
        'The color of buttons, links and focus rings in pages and mails, such as `#0b6e4f`. Where it is hard to read on the light or the dark background, the nearest darker or lighter one is used instead, and the log says which.',
      unset: "Latchkey's own blue",
      read: z
        .string()
        .regex(/^#[\da-f]{6}$/i, 'takes a color as #rrggbb, such as #0b6e4f')
        .transform((text) => text.toLowerCase()),
    }),
  },
  read: ({ SITE_LOGO, SITE_COLOR }) => ({ logo: SITE_LOGO, color: SITE_COLOR }),
});
