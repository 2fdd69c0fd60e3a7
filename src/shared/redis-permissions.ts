/** What a part of Latchkey asks of Redis, in its code and in its scripts. */
export type RedisPermissions = {
  /**
   * Commands as an ACL names them, each with complete arguments for an example, in which KEY stands for a key. An
   * incomplete example can crash Redis: acl_check_cmd looks for the key behind the end (seen with EVAL and 7.0.15).
   */
  commands: Readonly<Record<string, string>>;
  /** One example of each kind of key. */
  keys: readonly string[];
  /** A key that exists once there is something that must survive a restart of Redis, and what that is. */
  lasting?: { key: string; what: string };
};

declare module '../settings/feature.ts' {
  interface FeatureSettings<Result, SignInName, Seen> {
    redisPermissions?: RedisPermissions;
  }
}

declare module '../redis/url.ts' {
  interface RedisUrlForm<Target> {
    /** What this kind of Redis must allow, besides what all kinds must. */
    permissions?: RedisPermissions;
  }
}
