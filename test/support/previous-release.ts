import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pathOf } from './documents.ts';
import { newDirectory } from './process.ts';

/** The last commit of 0.1.0; the next one begins what CHANGELOG.md calls unreleased. */
const previousRelease = '710190627a6779161f0d6cd4bfd69f211f090279';

/** The previous release with its own dependencies: where it is, and how its server is started. */
export function preparePreviousRelease(): { cwd: string; command: string[] } {
  const cwd = newDirectory('previous-release-');
  const archive = join(cwd, 'archive.tar');
  execFileSync('git', ['archive', `--output=${archive}`, previousRelease], { cwd: pathOf('.') });
  execFileSync('tar', ['-xf', archive], { cwd });
  const install = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', install, { cwd, stdio: 'pipe' });
  const tsx = pathToFileURL(pathOf('node_modules/tsx/dist/loader.mjs')).href;
  return { cwd, command: [process.execPath, '--import', tsx, 'src/server.ts'] };
}
