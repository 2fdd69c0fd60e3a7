import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));

/** The last commit of 0.1.0; the next one begins what CHANGELOG.md calls unreleased. */
const previousRelease = '710190627a6779161f0d6cd4bfd69f211f090279';

/** Puts the sources of the previous release into a directory, with that release's own dependencies. */
export function fetchPreviousRelease(directory: string): void {
  const archive = join(directory, 'archive.tar');
  execFileSync('git', ['archive', `--output=${archive}`, previousRelease], { cwd: project });
  execFileSync('tar', ['-xf', archive], { cwd: directory });
  const install = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', install, { cwd: directory, stdio: 'pipe' });
}

/** The same, compiled into its `dist`. */
export function buildPreviousRelease(directory: string): void {
  fetchPreviousRelease(directory);
  // The types of its dependencies are not there.
  const options = ['-p', 'tsconfig.build.json', '--noCheck', '--types', ''];
  execFileSync(join(project, 'node_modules/.bin/tsc'), options, { cwd: directory, stdio: 'inherit' });
}
