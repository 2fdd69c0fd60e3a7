import type { Routes } from '../support/methods.ts';

export const routes: Routes = { '/session-owner': ['get', 'head'] };
