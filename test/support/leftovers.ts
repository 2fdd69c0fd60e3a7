import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const namesDirectory = 'processes';
/** By a process of its own, since one that is ending can wait for nothing else. */
const shutdown =
  "for (const path of process.argv.slice(1)) require('node:net').connect(path).on('error', () => {}).end('SHUTDOWN\\r\\n')";

/**
 * Leaves a note of a process that runs in a group of its own, so that it goes with this run of the tests even when
 * the run is broken off, and nothing else of it is done any more.
 */
export function noteProcess(runDirectory: string, child: ChildProcess): void {
  const note = join(runDirectory, namesDirectory, String(child.pid));
  mkdirSync(join(runDirectory, namesDirectory), { recursive: true });
  writeFileSync(note, '');
  child.once('exit', () => rmSync(note, { force: true }));
}

/** Ends what a run that was broken off has left behind, and removes its directory. */
export function removeLeftovers(runDirectory: string): void {
  const notes = join(runDirectory, namesDirectory);
  for (const pid of existsSync(notes) ? readdirSync(notes) : []) kill(Number(pid));
  spawnSync(process.execPath, ['-e', shutdown, ...socketsIn(runDirectory)], { timeout: 2000 });
  rmSync(runDirectory, { recursive: true, force: true });
}

function kill(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // It has ended, or leads no group.
    }
  }
}

function socketsIn(directory: string): string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => basename(path) === 'redis.sock').map((path) => join(directory, path));
}
