import type { Routes } from '../support/methods.ts';

export const routes: Routes = {
  '/login/code': ['get', 'head', 'post'],
  '/login/code/again': ['post'],
  '/end-session': ['get', 'head', 'post'],
};
