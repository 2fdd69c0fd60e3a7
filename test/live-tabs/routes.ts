import type { Routes } from '../support/methods.ts';

export const routes: Routes = { '/session-events': ['get', 'head'] };
