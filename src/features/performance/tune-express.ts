import type { Express } from 'express';
import { compileViews } from './compiled-views.ts';
import { expressPrototypes } from './express-prototypes.ts';

/** Makes Express cheaper, without a change of what it does. */
export function tuneExpress(app: Express, views: { directory: string; reload: boolean }): void {
  compileViews(app, views);
  app.set('server options', expressPrototypes(app));
}
