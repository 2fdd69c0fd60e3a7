import { pathToFileURL } from 'node:url';
import { fetchPreviousRelease } from '../../scripts/previous-release.ts';
import { pathOf } from './documents.ts';
import { newDirectory } from './process.ts';

/** The previous release with its own dependencies: where it is, and how its server is started. */
export function preparePreviousRelease(): { cwd: string; command: string[] } {
  const cwd = newDirectory('previous-release-');
  fetchPreviousRelease(cwd);
  const tsx = pathToFileURL(pathOf('node_modules/tsx/dist/loader.mjs')).href;
  return { cwd, command: [process.execPath, '--import', tsx, 'src/server.ts'] };
}
