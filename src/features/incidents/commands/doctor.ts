import { type Command, exitCodes } from '../../../cli/command.ts';
import type { Operator } from '../../../cli/operator.ts';
import { ConfigError } from '../../../config.ts';
import type { Finding } from '../../../core.ts';
import type { EmailAddress } from '../../../session/email-address.ts';
import { checkRedis } from '../check-redis.ts';
import { checkSite } from '../check-site.ts';
import { readAddress } from '../operands.ts';

/** Looks at all that Latchkey needs, and says what to do. */
export const doctor: Command = {
  usage: ['doctor [--mail ADDRESS]'],
  about: 'check the settings, Redis, the mail server (with one mail) and the site behind its proxy',
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
  try {
    const opened = await operator.open();
    const findings = [
      ...(await checkRedis(opened, operator.config)),
      ...(await Promise.all(opened.selfChecks.map((check) => check({ mailTo })))).flat(),
      ...(await checkSite(operator.config, opened.redis)),
    ];
    return [...operator.warnings().map((problem) => ({ what: 'start', problem })), ...findings];
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [reasonOf(error)];
    return problems.map((problem) => ({ what: 'Redis', problem }));
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const reason = cause instanceof Error ? ` (${cause.message})` : '';
  return `${message}${reason}: check REDIS_URL, and that Redis runs`;
}

function lineOf({ what, detail, problem }: Finding): string {
  const about = detail === undefined ? what : `${what}: ${detail}`;
  return problem === undefined ? `ok    ${about}\n` : `TO DO ${about}\n      ${problem}\n`;
}
