import type { Logger } from '../log.ts';
import { deadlineMs, withTimeout } from './deadline.ts';
import type { NodeClient } from './node.ts';

const minMajorVersion = 7;

/**
 * Warns, once each, of what would lose sessions or refuse them; never fails. A Redis that does not let itself be
 * asked, as some that are rented, is taken as it is.
 */
export async function checkRedisServer(nodes: NodeClient[], log: Logger): Promise<void> {
  const warnings = await Promise.all(nodes.map((node) => withTimeout(deadlineMs, warningsFor(node)).catch(() => [])));
  for (const warning of new Set(warnings.flat())) log.warn(warning);
}

async function warningsFor(node: NodeClient): Promise<string[]> {
  const info = await node.info();
  const read = (field: string) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = read('redis_version');
  const policy = read('maxmemory_policy');
  const warnings: string[] = [];
  if (Number.parseInt(version, 10) < minMajorVersion) {
    warnings.push(`Redis is ${version}, which lacks commands that sign-in needs: run Redis 7.0 or newer, or Valkey`);
  }
  if (read('aof_enabled') === '0' && (await savesNothing(node))) {
    warnings.push('Redis keeps nothing on disk, and its restart would sign everybody out: set appendonly yes');
  }
  if (policy !== '' && policy !== 'noeviction') {
    warnings.push(`Redis may evict sessions when it is full (${policy}): set maxmemory-policy noeviction`);
  }
  return warnings;
}

// What INFO does not tell: whether there are snapshots.
async function savesNothing(node: NodeClient): Promise<boolean> {
  try {
    return (await node.configGet('save')).save === '';
  } catch {
    return false;
  }
}
