import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionSecrets } from '../config.ts';

/** The session secret of this directory, made once, so that sessions survive a restart. */
export function readOrCreateSecrets(directory: string): SessionSecrets {
  const file = join(directory, 'session-secret');
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    const draft = `${file}-${process.pid}`;
    writeFileSync(draft, randomBytes(32).toString('hex'), { mode: 0o600 });
    try {
      // Of two processes that start at once, one makes it for both.
      linkSync(draft, file);
    } catch (error) {
      if (!existsSync(file)) throw error;
    } finally {
      rmSync(draft);
    }
  }
  return [readFileSync(file, 'utf8').trim()];
}
