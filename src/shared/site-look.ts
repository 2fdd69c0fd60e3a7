type Colors = Record<'accent' | 'onAccent' | 'tint', string>;

/** The site's look where its style sheets don't apply, such as in mail. A logo's URL is a path of the site. */
export type SiteLook = {
  colors?: { light: Colors; dark: Colors };
  logo?: { url: string; width: number; height: number };
};

declare module '../core.ts' {
  interface Core {
    /** The site's colors and logo for mail; undefined for the defaults. */
    look?: SiteLook;
  }
}
