import { type Command, exitCodes, reasonOf } from '../../../cli/command.ts';
import type { Opened, Operator } from '../../../cli/operator.ts';
import { ConfigError } from '../../../config.ts';
import { RedisUnavailable } from '../../../redis/deadline.ts';
import type { EmailAddress } from '../../../session/email-address.ts';
import type { Finding } from '../../../shared/operations.ts';
import { checkRedis } from '../check-redis.ts';
import { checkSite } from '../check-site.ts';
import { readAddress } from '../operands.ts';

/** Looks at all that Latchkey needs, and says what to do. */
export const doctor: Command = {
  usage: ['doctor [--mail ADDRESS]'],
  about: 'check the settings, Redis, the mail server (with --mail, by one mail) and the site behind its proxy',
  options: { mail: { type: 'string' } },
  operands: [0, 0],
  async run({ values: { mail } }, operator) {
    const mailTo = mail === undefined ? undefined : readAddress(String(mail));
    const findings = [aboutSettings(operator), ...(await look(operator, mailTo))];
    const isWell = findings.every(({ problem }) => problem === undefined);
    return {
      text: findings.map(lineOf).join(''),
      json: { ok: isWell, findings: findings.map((finding) => ({ ...finding, ok: finding.problem === undefined })) },
      exitCode: isWell ? exitCodes.done : exitCodes.failed,
    };
  },
};

function aboutSettings({ config }: Operator): Finding {
  const { production, origin, signIn } = config;
  const mode = production ? 'production' : 'development';
  return { what: 'settings', detail: `${mode}, BASE_URL ${origin ?? 'not set'}, SIGN_IN=${signIn}` };
}

async function look(operator: Operator, mailTo: EmailAddress | undefined): Promise<Finding[]> {
  const opened = await operator.open().catch(problemsOfOpening);
  const found = Array.isArray(opened) ? opened : await checkAll(opened, operator, mailTo);
  return [...operator.warnings().map((problem) => ({ what: 'start', problem })), ...found];
}

function problemsOfOpening(error: unknown): Finding[] {
  if (error instanceof ConfigError) return error.problems.map((problem) => ({ what: 'start', problem }));
  return error instanceof RedisUnavailable
    ? [{ what: 'Redis', problem: withFix(reasonOf(error)) }]
    : [{ what: 'start', problem: reasonOf(error) }];
}

// What the start has explained names the setting already.
function withFix(reason: string): string {
  return reason.includes('REDIS_URL') ? reason : `${reason}: check REDIS_URL, and that Redis runs`;
}

/** Runs the checks in turn; one that fails doesn't stop the rest. */
async function checkAll(opened: Opened, { config }: Operator, mailTo: EmailAddress | undefined): Promise<Finding[]> {
  const checks: [what: string, check: () => Promise<Finding[]>][] = [
    ['Redis', () => checkRedis(opened, config)],
    ...opened.selfChecks.map(({ what, run }): [string, () => Promise<Finding[]>] => [what, () => run({ mailTo })]),
    ['site', () => checkSite(opened)],
  ];
  const findings: Finding[] = [];
  for (const [what, check] of checks) {
    const failed = (error: unknown) => [{ what, problem: `it could not be checked: ${reasonOf(error)}` }];
    findings.push(...(await check().catch(failed)));
  }
  return findings;
}

function lineOf({ what, detail, problem }: Finding): string {
  const about = detail === undefined ? what : `${what}: ${detail}`;
  return problem === undefined ? `ok    ${about}\n` : `TO DO ${about}\n      ${problem}\n`;
}
