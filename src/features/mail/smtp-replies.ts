import type { Outcome, Reply } from './delivery.ts';
import { BrokenOff, type SmtpServer, Unsupported } from './smtp-session.ts';

type SmtpError = {
  code?: string;
  originalCode?: string;
  command?: string;
  response?: string;
  responseCode?: number;
  timeoutType?: string;
  message?: string;
};

const queueIdForms = [
  /\bqueued as ([\w.-]{1,64})/i,
  /\bid=([\w.-]{1,64})/i,
  /\bInternalId=(\d{1,64})/i,
  /^250 (?:2\.\d\.\d{1,3} )?(?:ok:? )?([\w.-]{6,64})(?: message accepted| - gsmtp|\s*$)/i,
];

/** What of a reply may be logged: its text may quote the address. */
export function describeReply(response: string): Reply {
  const [, reply, enhanced] = /^(\d{3})(?:[ -](\d\.\d{1,3}\.\d{1,3})\b)?/.exec(response) ?? [];
  const queueId = queueIdForms.map((form) => form.exec(response)?.[1]).find((id) => id !== undefined);
  return {
    ...(reply !== undefined && { reply: Number(reply) }),
    ...(enhanced !== undefined && { enhanced }),
    ...(reply?.startsWith('2') && queueId !== undefined && { queueId }),
  };
}

/** The codes of a failure; its message may quote the address. */
export function describeFailure(failure: unknown): Reply {
  const { code, originalCode, command, response } = errorOf(failure);
  return {
    ...(response !== undefined && describeReply(response)),
    ...(code !== undefined && { code: originalCode ?? code }),
    ...(command !== undefined && { command }),
  };
}

/** Whether the server will have no more mail in this session, and may in another. */
export function isEndOfSession(failure: unknown): boolean {
  const { code, command, responseCode = 0 } = errorOf(failure);
  if (code === 'ECONNECTION' || code === 'ESOCKET' || responseCode === 421) return true;
  return command === 'MAIL FROM' && responseCode < 500;
}

/** What a session that could not be opened means. */
export function judgeOpening(failure: unknown, server: SmtpServer): Outcome {
  const { code, originalCode, response } = errorOf(failure);
  const wasTurnedAway = response?.startsWith('4') && code !== 'EAUTH';
  const wasCutOff = response === undefined && (code === 'ECONNECTION' || originalCode === 'ECONNRESET');
  const outcome = wasTurnedAway || wasCutOff ? 'crowded' : 'unavailable';
  return { outcome, problem: explainProblem(failure, server) };
}

/**
 * What a failed attempt in a fresh session means. A stranger chooses the address, so the server's word on the
 * recipient, however it is said, must not count against the server.
 */
export function judgeAttempt(failure: unknown, server: SmtpServer): Outcome {
  if (failure instanceof BrokenOff) return { outcome: 'slow' };
  if (failure instanceof Unsupported) return { outcome: 'refused' };
  const { code, command, responseCode = 0 } = errorOf(failure);
  // Nothing but the sender is known by then. 530: it wants a login (RFC 4954, 6).
  if (command === 'MAIL FROM' || responseCode === 530) {
    return { outcome: 'unavailable', problem: explainProblem(failure, server) };
  }
  if (responseCode >= 500) return { outcome: 'refused' };
  // The library's own word on an address that can't stand in an envelope.
  if (code === 'EENVELOPE' && responseCode === 0) return { outcome: 'refused' };
  return { outcome: code === 'ETIMEDOUT' ? 'slow' : 'deferred' };
}

/** What is wrong with the mail server, and what to do about it. */
export function explainProblem(failure: unknown, { host, port, tls }: SmtpServer): string {
  const { code, originalCode, command, responseCode, timeoutType, message = '' } = errorOf(failure);
  const where = `${host}:${port}`;
  if (code === 'EAUTH') {
    return responseCode !== undefined && responseCode < 500
      ? `${where} can't check the password just now`
      : `${where} refuses the user or the password in SMTP_URL`;
  }
  if (code === 'ENOAUTH') return `${where} offers no login here, but SMTP_URL has a user: take it out, or use TLS`;
  if (code === 'EDNS' || originalCode === 'ENOTFOUND') return `there is no host of the name ${host}: check SMTP_URL`;
  if (/wrong version number|packet length too long/i.test(message)) {
    return `${where} does not speak TLS from the start: use smtp:// instead of smtps://, or its port for smtps (465)`;
  }
  if (/certificate|self.signed|altnames|unable to verify/i.test(message)) {
    return `the certificate of ${where} is not trusted (${originalCode ?? code}): use the name that it is for, or set CA_FILE to the authority that signed it`;
  }
  if (code === 'ETLS') {
    return command === 'STARTTLS' && responseCode !== undefined
      ? `${where} offers no STARTTLS: use smtps://, or ?tls=optional if the way there is safe`
      : `TLS with ${where} fails`;
  }
  if (timeoutType === 'GREETING_TIMEOUT') {
    return tls === 'implicit'
      ? `${where} does not greet`
      : `${where} does not greet: if it is a port for smtps, use smtps://`;
  }
  if (originalCode === 'ECONNREFUSED') return `nothing listens on ${where}: check the port in SMTP_URL`;
  if (code === 'ETIMEDOUT') return `${where} does not answer: check host and port in SMTP_URL, and the firewall`;
  if (command === 'MAIL FROM' && (responseCode ?? 0) >= 500) {
    return `${where} refuses the sender (${responseCode}): check MAIL_FROM, and whether SMTP_URL needs a user`;
  }
  if (responseCode === 530) return `${where} wants a login, or TLS first: give SMTP_URL a user and a password`;
  return responseCode === undefined ? `${where} ends the connection` : `${where} takes no mail now (${responseCode})`;
}

function errorOf(failure: unknown): SmtpError {
  return failure instanceof Error ? failure : {};
}
