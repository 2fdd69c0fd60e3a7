import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { handleOf, isSessionId, sessionKey, tagIn, tagOf } from '../../session/session-id.ts';

// Noted only for a live session, and kept for as long as it can live at most: it is pushed on by touches, this is not.
const noteScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIREAT', KEYS[2], ARGV[2])
return 1`;

const listScript = `
local sites = {}
for position, key in ipairs(KEYS) do sites[position] = redis.call('SMEMBERS', key) end
return sites`;

/** Which sites each session has opened, for its owner to see. Nothing else depends on it. */
export class OpenedSites {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /**
   * @param endsAt the session's absolute limit, in milliseconds since the epoch
   * @returns whether the session is still there
   * @throws {RedisUnavailable}
   */
  async note(sessionId: string, siteOrigin: string, endsAt: number): Promise<boolean> {
    if (!isSessionId(sessionId)) return false;
    const noted = await withDeadline(
      deadlineMs,
      this.#redis.eval(noteScript, {
        keys: [sessionKey(sessionId), keyOf(tagIn(sessionId), handleOf(sessionId))],
        arguments: [siteOrigin, String(endsAt)],
      }),
    );
    return noted === 1;
  }

  /**
   * The origins that each of an address's sessions has opened, in alphabetical order. One Redis command.
   * @throws {RedisUnavailable}
   */
  async list(email: EmailAddress, handles: string[]): Promise<string[][]> {
    if (handles.length === 0) return [];
    const keys = handles.map((handle) => keyOf(tagOf(email), handle));
    const reply = await withDeadline(deadlineMs, this.#redis.eval(listScript, { keys, arguments: [] }));
    return Array.isArray(reply) ? reply.map((sites) => (Array.isArray(sites) ? sites.map(String).sort() : [])) : [];
  }
}

// In the session's slot of a Cluster, so that one script can look at both.
function keyOf(tag: string, handle: string): string {
  return `{${tag}}sites:${handle}`;
}
