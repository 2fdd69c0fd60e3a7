import { ConnectionTimeoutError, ErrorReply, SocketClosedUnexpectedlyError } from 'redis';

/** How `REDIS_URL` leads to a server: as what, and whether by TLS. */
type Way = { kind: 'redis' | 'sentinel' | 'cluster'; tls: boolean };

/** A failure in the words of Redis or Node, with Node's code and the host that was looked up, where there is one. */
type Failure = { said: string; code: string; host: string };

const clientCertificates =
  'set tls-auth-clients no in the Redis of REDIS_URL, since Latchkey has no client certificate';
const untrusted = { fix: 'name the CA that signed it in NODE_EXTRA_CA_CERTS' };
untrusted.fix = 'name the CA that signed it in CA_FILE'; // feature: private-ca

/** The failures that a wrong setting causes, by what is said of them or by their code, and what to do. */
const explanations: { of: RegExp; explain: (failure: Failure, way: Way) => string | undefined }[] = [
  { of: /^ENOTFOUND$/, explain: ({ host }) => `there is no host named ${host}: check REDIS_URL` },
  { of: /^EAI_AGAIN$/, explain: ({ host }) => `DNS does not answer for the host ${host}: check it, and REDIS_URL` },
  { of: /^connect E/, explain: ({ said }) => `${said}: check REDIS_URL, and that Redis runs` },
  {
    of: /^(?:ECONNRESET|EPIPE|CLOSED)$/,
    explain: ({ said }, { tls }) =>
      tls
        ? `${said}: check REDIS_URL; if Redis asks for client certificates, ${clientCertificates}`
        : `${said}: if that port speaks TLS only, write rediss in REDIS_URL, not redis`,
  },
  {
    of: /^(?:SILENCE|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/,
    explain: ({ said }, { tls }) =>
      tls ? `${said} by TLS: if that port speaks none, write redis in REDIS_URL, not rediss` : undefined,
  },
  {
    of: /ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/,
    explain: ({ said }) => `Redis refuses TLS without a client certificate (${said}): ${clientCertificates}`,
  },
  {
    of: /SELF_SIGNED_CERT|^UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)/,
    // Node 24 adds advice of its own after a semicolon.
    explain: ({ said }) =>
      `the certificate of the host in REDIS_URL is not trusted (${said.split(';')[0]}): ${untrusted.fix}`,
  },
  {
    of: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    explain: ({ said }) => `the certificate is for other hosts than the one in REDIS_URL (${said})`,
  },
  {
    of: /^CERT_/,
    explain: ({ said }) => `the certificate of the host in REDIS_URL is not valid now (${said}): renew it`,
  },
  { of: /^ERR DB index/, explain: ({ said }) => `${said}: write the number of another database in REDIS_URL` },
  {
    of: /^WRONGPASS/,
    explain: (_failure, { kind }) =>
      kind === 'sentinel'
        ? 'WRONGPASS: a Sentinel does not take the sentinel_username and sentinel_password in REDIS_URL'
        : 'WRONGPASS: Redis does not take the user name and password in REDIS_URL',
  },
  {
    of: /^NOAUTH/,
    explain: (_failure, { kind }) =>
      kind === 'sentinel'
        ? 'NOAUTH: a Sentinel asks for a password: write ?sentinel_password= at the end of REDIS_URL'
        : 'NOAUTH: Redis asks for a password: write :password@ in front of the host in REDIS_URL',
  },
  // feature: sentinel
  {
    of: /^ERR unknown command 'SENTINEL'/i,
    explain: () => 'a Redis answers, and no Sentinel: write redis:// in REDIS_URL, or the port of the Sentinels',
  },
  // end: sentinel
  { of: /cluster support disabled/, explain: ({ said }) => `${said}: write redis:// in REDIS_URL` },
  {
    // The arguments that follow may be a whole script.
    of: /^ERR unknown command/,
    explain: ({ said }) => `${said.split(',')[0]}: check that REDIS_URL leads to a Redis, and not to a Sentinel`,
  },
];

/**
 * Why a start does not reach Redis, with the setting to look at, on one line.
 * @param error undefined if nothing has been heard
 * @returns undefined if that says nothing
 */
export function explainRedisFailure(error: unknown, way: Way): unknown {
  if (error !== undefined && !(error instanceof Error)) return error;
  const failure = readFailure(error);
  const fitting = explanations.filter(({ of }) => of.test(failure.said) || of.test(failure.code));
  const explained = fitting.map(({ explain }) => explain(failure, way)).find((text) => text !== undefined);
  if (error === undefined) return explained === undefined ? undefined : new Error(explained);
  const text = explained ?? failure.said;
  if (text === error.message) return error;
  const explaining = error instanceof ErrorReply ? new ErrorReply(text) : new Error(text);
  return Object.assign(explaining, { cause: error }, 'code' in error && { code: error.code });
}

function readFailure(error: Error | undefined): Failure {
  if (error === undefined) return { said: 'nothing answered', code: 'SILENCE', host: '' };
  // Of a host with several addresses, each has failed for a reason of its own, and the whole has no message.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return readFailure(error.errors[0]);
  // OpenSSL's own message is the line of its source, and ends with a line break.
  const { reason, code = '', hostname: host = '' } = error as Partial<Record<'reason' | 'code' | 'hostname', string>>;
  const said = (reason ?? error.message).split('\n')[0] ?? '';
  if (error instanceof ConnectionTimeoutError) return { said: 'nothing answered', code: 'SILENCE', host };
  return { said, code: error instanceof SocketClosedUnexpectedlyError ? 'CLOSED' : code, host };
}

/** What `/readyz` says of a connection that is refused for this reason. */
export function lostText(refusal: string | undefined): string | undefined {
  return refusal === undefined ? undefined : `no connection to Redis: ${refusal}`;
}

const refusals =
  /^(?:WRONGPASS|NOAUTH|NOPERM|ERR|ENOTFOUND|ERR_(?:SSL|TLS)_.*|CERT_.*|UNABLE_TO_.*|.*SELF_SIGNED_CERT.*)$/;

/**
 * Why there is no connection, in a word that names neither users nor hosts, such as `WRONGPASS` or `ENOTFOUND`.
 * @returns undefined for a Redis that is only away, and for whatever else may pass by itself
 */
export function refusalIn(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.message.startsWith('ERR max number of clients')) return undefined;
  const word = error instanceof ErrorReply ? error.message.split(' ', 1)[0] : String(Reflect.get(error, 'code'));
  return word !== undefined && refusals.test(word) ? word : undefined;
}
