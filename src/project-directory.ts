/** Where `package.json`, `views` and `public` are. This module, and whatever it is bundled into, is one level below. */
export const projectDirectory = new URL('../', import.meta.url);
