import type { Routes } from '../support/methods.ts';

export const routes: Routes = { '/bound-session/register': ['post'], '/bound-session/refresh': ['post'] };
