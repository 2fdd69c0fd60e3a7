import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

export type NodeProgram = { path: string; version: string; major: string };

/**
 * A Node of another version, to run something on.
 * @param wanted a major version, which the npm package `node` brings, or a path
 */
export function findNode(wanted: string): NodeProgram {
  const own = process.versions.node.split('.')[0];
  if (wanted === own) return describe(process.execPath);
  if (existsSync(wanted)) return describe(wanted);
  const args = ['--yes', '--package', `node@${wanted}`, '--', 'node', '--print', 'process.execPath'];
  const { stdout, status } = spawnSync('npx', args, { encoding: 'utf8', cwd: tmpdir() });
  if (status !== 0) throw new Error(`there is no Node ${wanted} to be had with npx`);
  return describe(stdout.trim());
}

function describe(path: string): NodeProgram {
  const version = spawnSync(path, ['--print', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim();
  return { path, version, major: version.split('.')[0] ?? '' };
}
