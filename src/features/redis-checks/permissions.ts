import { ErrorReply } from 'redis';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import type { RedisUrlForm } from '../../redis/url.ts';
import type { FeatureSettings } from '../../settings/feature.ts';
import type { RedisPermissions } from '../../shared/redis-permissions.ts';

/** What the core needs, for sessions, their index, readiness and the clock check. */
const corePermissions: RedisPermissions = {
  commands: {
    del: 'KEY',
    eval: 'script 1 KEY',
    get: 'KEY',
    pexpire: 'KEY 1000',
    pttl: 'KEY',
    set: 'KEY value',
    setrange: 'KEY 0 value',
    time: '',
    type: 'KEY',
    zadd: 'KEY 0 member',
    zcard: 'KEY',
    zrange: 'KEY 0 -1',
    zrem: 'KEY member',
    zremrangebyscore: 'KEY 0 1',
    zscore: 'KEY member',
  },
  keys: ['{tag}random', 'tag', 'ready'],
};

/** What the Redis user must be allowed to do, by the kind of Redis. */
export function permissionsByKind<Kind extends string>(
  groups: readonly FeatureSettings[],
  forms: Record<Kind, RedisUrlForm<unknown>>,
): Record<Kind, readonly RedisPermissions[]> {
  const common = [corePermissions, ...groups.flatMap(({ redisPermissions = [] }) => redisPermissions)];
  const byKind = Object.entries<RedisUrlForm<unknown>>(forms).map(([kind, { permissions = [] }]) => [
    kind,
    common.concat(permissions),
  ]);
  return Object.fromEntries(byKind);
}

/** The rule that lets a Redis user do just what these parts need, as for `ACL SETUSER`. */
export function aclRule(permissions: readonly RedisPermissions[], keyPrefix: string): string {
  const names = commandNames(permissions);
  const channels = names.includes('subscribe') ? [`&${keyPrefix}*`] : [];
  return [`~${keyPrefix}*`, ...channels, '-@all', ...names.map((name) => `+${name}`)].join(' ');
}

// Redis itself says what the user may do, to the user itself; nothing is carried out.
const checkScript = `
local refused, absent = {}, {}
for number = 1, #ARGV, 2 do
  local words = {}
  for word in string.gmatch(ARGV[number], '[^|]+') do words[#words + 1] = word end
  for word in string.gmatch(ARGV[number + 1], '%S+') do words[#words + 1] = word == 'KEY' and KEYS[1] or word end
  local exists, isAllowed = pcall(redis.acl_check_cmd, unpack(words))
  local list = exists and refused or absent
  if not (exists and isAllowed) then list[#list + 1] = ARGV[number] end
end
return {refused, absent}`;

/** What the Redis user may not do, in words, and the commands that this Redis has not got, as with `rename-command`. */
type Lacking = { refused: string | undefined; absent: string[] };

/**
 * What the Redis user, or Redis itself, lacks.
 * @throws {RedisUnavailable} when that can't be found out now
 */
export async function missingPermissions(
  client: RedisClient,
  permissions: readonly RedisPermissions[],
): Promise<Lacking> {
  const examples = permissions.flatMap(({ commands }) => Object.entries(commands).flat());
  const keys = [...new Set(permissions.flatMap((part) => part.keys))];
  try {
    const replies = await withTimeout(
      deadlineMs,
      Promise.all(keys.map((key) => client.eval(checkScript, { keys: [key], arguments: examples }))),
    );
    const namesAt = (place: number) =>
      replies.flatMap((reply) => (Array.isArray(reply) ? reply[place] : [])).map(String);
    const [refused = [], absent = []] = [0, 1].map((place) => [...new Set(namesAt(place))].sort());
    return { refused: refused.length === 0 ? undefined : `may not use ${refused.join(', ')}`, absent };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof ErrorReply)) throw error;
    if (/^ERR unknown command 'eval'/i.test(cause.message)) return { refused: undefined, absent: ['eval'] };
    if (!/^NOPERM/.test(cause.message)) throw error;
    return { refused: `may not use ${/'eval'/i.test(cause.message) ? 'eval' : 'the keys of Latchkey'}`, absent: [] };
  }
}

function commandNames(permissions: readonly RedisPermissions[]): string[] {
  return [...new Set(permissions.flatMap(({ commands }) => Object.keys(commands)))].sort();
}
