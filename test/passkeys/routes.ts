import type { Routes } from '../support/methods.ts';

export const routes: Routes = {
  '/login/passkey': ['post'],
  '/login/passkey/options': ['post'],
  '/passkeys': ['get', 'head', 'post'],
  '/passkeys/add': ['get', 'head'],
  '/passkeys/options': ['post'],
  '/passkeys/rename': ['get', 'head', 'post'],
  '/passkeys/remove': ['get', 'head', 'post'],
  '/passkeys/undo': ['get', 'head', 'post'],
  '/.well-known/passkey-endpoints': ['get', 'head'],
  '/.well-known/webauthn': ['get', 'head'],
};
