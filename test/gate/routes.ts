import type { Routes } from '../support/methods.ts';

export const routes: Routes = {
  '/.well-known/jwks.json': ['get', 'head'],
  '/gate': ['get', 'head'],
  // On the sites, that is; the login site has none of these.
  '/.latchkey/start': ['get', 'head'],
  '/.latchkey/enter': ['get', 'head'],
  '/.latchkey/logout': ['get', 'head', 'post'],
  '/.latchkey/refused': ['get', 'head'],
};
