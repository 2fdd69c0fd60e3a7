import type { Outcome, Reply } from './delivery.ts';
import { BrokenOff, type Letter, needsSmtpUtf8, type SmtpServer, Unsupported } from './smtp-session.ts';

type SmtpError = {
  code?: string;
  originalCode?: string;
  command?: string;
  response?: string;
  responseCode?: number;
  timeoutType?: string;
  message?: string;
};

const maxWordsLength = 300;

const queueIdForms = [
  /\bqueued as ([\w.-]{1,64})/i,
  /\bid=([\w.-]{1,64})/i,
  /\bInternalId=(\d{1,64})/i,
  // Google puts the time in front.
  /^250 (?:2\.\d\.\d{1,3} )?(?:ok:? +)?(?:\d{10} +)?([\w.-]{6,64})(?: message accepted| - gsmtp)/i,
  // With nothing behind it, only a digit tells an id from a word such as "accepted".
  /^250 (?:2\.\d\.\d{1,3} )?(?:ok:? +)?(?=[a-z_.-]*\d)([\w.-]{6,64})\s*$/i,
];

/** The codes of a reply. Its text may quote the address, and is not logged. */
export function describeReply(response: string): Reply {
  const [, reply, enhanced] = /^(\d{3})(?:[ -](\d\.\d{1,3}\.\d{1,3})\b)?/.exec(response) ?? [];
  const queueId = queueIdForms.map((form) => form.exec(response)?.[1]).find((id) => id !== undefined);
  return {
    ...(reply !== undefined && { reply: Number(reply) }),
    ...(enhanced !== undefined && { enhanced }),
    ...(reply?.startsWith('2') && queueId !== undefined && { queueId }),
  };
}

/** The codes of a failure. Its message may quote the address, and is not logged. */
export function describeFailure(failure: unknown): Reply {
  const { code, originalCode, command, response } = errorOf(failure);
  return {
    ...(response !== undefined && describeReply(response)),
    ...(code !== undefined && { code: originalCode ?? code }),
    ...(command !== undefined && { command }),
  };
}

/** What the server said, on one line. It may quote the address, and is only for an operator who tests the server. */
export function wordsOf(failure: unknown): string | undefined {
  return errorOf(failure)
    .response?.replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, maxWordsLength);
}

/** Whether the server accepts no more mail in this session, but may in another one. */
export function isEndOfSession(failure: unknown): boolean {
  const { code, command, responseCode = 0 } = errorOf(failure);
  if (code === 'ECONNECTION' || code === 'ESOCKET' || responseCode === 421) return true;
  return command === 'MAIL FROM' && responseCode < 500;
}

/** The outcome of an attempt whose session could not be opened. */
export function judgeOpening(failure: unknown, server: SmtpServer): Outcome {
  const { code, originalCode, response } = errorOf(failure);
  const wasTurnedAway = response?.startsWith('4') && code !== 'EAUTH';
  const wasCutOff = response === undefined && (code === 'ECONNECTION' || originalCode === 'ECONNRESET');
  const outcome = wasTurnedAway || wasCutOff ? 'crowded' : 'unavailable';
  return { outcome, problem: explainProblem(failure, server) };
}

/**
 * The outcome of an attempt that failed in a session. Strangers choose recipients, so whatever a recipient can bring
 * about must not count against the server.
 */
export function judgeAttempt(failure: unknown, server: SmtpServer, { from, to }: Letter): Outcome {
  if (failure instanceof BrokenOff) return { outcome: 'slow' };
  const { code, command, response, responseCode = 0 } = errorOf(failure);
  if (failure instanceof Unsupported) {
    return failure.isOurs
      ? { outcome: 'unavailable', problem: explainProblem(failure, server) }
      : { outcome: 'refused' };
  }
  // At MAIL FROM the server doesn't know the recipient yet, except that it needs SMTPUTF8 where the sender does not.
  // 530: it requires authentication (RFC 4954, 6).
  const isAboutRecipient = needsSmtpUtf8(to) && !needsSmtpUtf8(from);
  if ((command === 'MAIL FROM' && !isAboutRecipient) || responseCode === 530) {
    return { outcome: 'unavailable', problem: explainProblem(failure, server) };
  }
  if (responseCode >= 500) return { outcome: 'refused' };
  // The library's own error for an address that is not possible in SMTP.
  if (code === 'EENVELOPE' && response === undefined) return { outcome: 'refused' };
  return { outcome: code === 'ETIMEDOUT' ? 'slow' : 'deferred' };
}

/** What is wrong with the mail server, and how to fix it. */
export function explainProblem(failure: unknown, { host, port, tls }: SmtpServer): string {
  const { code, originalCode, command, response, responseCode, timeoutType, message = '' } = errorOf(failure);
  const where = `${host}:${port}`;
  if (code === 'EAUTH') return explainLogin(where, responseCode);
  if (code === 'ENOAUTH')
    return `${where} offers no authentication on this connection, but SMTP_URL has a user: remove it, or use TLS`;
  if (originalCode === 'ENOTFOUND') return `there is no host named ${host}: check SMTP_URL`;
  if (code === 'EDNS') return `the address of ${host} cannot be looked up (${originalCode}): check DNS`;
  if (code === 'ESMTPUTF8') return `${where} does not support SMTPUTF8, which the address in MAIL_FROM needs`;
  if (code === 'EPROTOCOL' && responseCode === undefined) {
    return `${where} does not speak SMTP: check host and port in SMTP_URL`;
  }
  // The message of a reply has the server's own words in it.
  if (response === undefined) {
    if (/wrong version number|packet length too long/i.test(message)) {
      return `${where} does not use TLS from the start: use smtp:// instead of smtps://, or the server's port for smtps (465)`;
    }
    if (/certificate|self.signed|altnames|unable to verify/i.test(message)) {
      return explainCertificate(where, originalCode ?? code);
    }
  }
  if (code === 'ETLS' || /^(?:ERR_SSL_|EPROTO$)/.test(originalCode ?? '')) {
    if (command !== 'STARTTLS' || responseCode === undefined) return `the TLS handshake with ${where} fails`;
    // A 4xx is temporary (RFC 3207, 4): doing without TLS is advice for servers that have none.
    return responseCode < 500
      ? `${where} can't start TLS at the moment (${responseCode}): look at its log, and at its certificate`
      : `${where} does not offer STARTTLS: use smtps://, or ?tls=optional if the network is trusted`;
  }
  if (timeoutType === 'GREETING_TIMEOUT') {
    return tls === 'implicit'
      ? `${where} sends no greeting`
      : `${where} sends no greeting: if the port is for smtps, use smtps://`;
  }
  if (originalCode === 'EHOSTUNREACH' || originalCode === 'ENETUNREACH') {
    return `${where} cannot be reached (${originalCode}): check the host in SMTP_URL, routes and firewall`;
  }
  if (originalCode === 'ECONNREFUSED') return `nothing listens on ${where}: check the port in SMTP_URL`;
  if (code === 'ETIMEDOUT') return `${where} does not answer: check host and port in SMTP_URL, and the firewall`;
  if (command === 'MAIL FROM' && (responseCode ?? 0) >= 500) {
    return `${where} rejects the sender (${responseCode}): check MAIL_FROM, and whether SMTP_URL needs a user`;
  }
  if (responseCode === 530) return `${where} requires authentication or TLS: add a user and a password to SMTP_URL`;
  if (responseCode === undefined) return `${where} closes the connection`;
  return `${where} accepts no mail${responseCode < 500 ? ' at the moment' : ''} (${responseCode})`;
}

// RFC 4954, 4 and 6; for 530 also RFC 3207, 4.
function explainLogin(where: string, responseCode = 500): string {
  if (responseCode < 500) return `${where} can't check the password at the moment`;
  if (responseCode === 504)
    return `${where} offers none of the ways to log in that are supported: PLAIN, LOGIN, CRAM-MD5`;
  return responseCode === 530 || responseCode === 538
    ? `${where} takes the user and password in SMTP_URL over TLS only`
    : `${where} rejects the user or password in SMTP_URL`;
}

function explainCertificate(where: string, code: string | undefined): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate of ${where} is for another host: use a name that it was issued for`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return `the certificate of ${where} is not valid at this time (${code}): renew it, or check the clock`;
  }
  const advice: string[] = [
    ': set CA_FILE to the CA that signed it', // feature: private-ca
  ];
  return `the certificate of ${where} is not trusted (${code})${advice.join('')}`;
}

function errorOf(failure: unknown): SmtpError {
  return failure instanceof Error ? failure : {};
}
