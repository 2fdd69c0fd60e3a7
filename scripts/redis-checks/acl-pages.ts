// The ACL rules in the documents, from what each part of Latchkey asks of Redis.
import { redisPermissions } from '../../src/config.ts';
import { aclRule } from '../../src/features/redis-checks/permissions.ts';

const user = 'ACL SETUSER latchkey on >PASSWORD';

/** The pages with a rule, by their names; `read` returns a page as it is. */
export function aclPages(read: (page: string) => string): Record<string, string> {
  const common = redisPermissions.single;
  const kinds = Object.entries(redisPermissions).filter(([, permissions]) => permissions.length > common.length);
  const pages = [
    {
      page: 'docs/redis-checks.md',
      rules: [
        `${user} ${aclRule(common, '')}`,
        `# With REDIS_KEY_PREFIX=latchkey:\n${user} ${aclRule(common, 'latchkey:')}`, // feature: redis-key-prefix
      ],
    },
    ...kinds.map(([kind, permissions]) => ({
      page: `docs/${kind}.md`,
      rules: [`${user} ${aclRule(permissions, '')}`],
    })),
  ];
  return Object.fromEntries(pages.map(({ page, rules }) => [page, withRules(read(page), rules)]));
}

function withRules(text: string, rules: string[]): string {
  return text.replace(
    /(<!-- acl: begin -->\n)[\s\S]*?(<!-- acl: end -->)/,
    (_, begin: string, end: string) => `${begin}\`\`\`\n${rules.join('\n')}\n\`\`\`\n${end}`,
  );
}
