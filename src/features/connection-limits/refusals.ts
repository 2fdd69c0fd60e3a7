import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';

/** Why a request never reaches the app, in words for its sender. */
export type Refusal = { status: number; message: string };

/** Browsers send about 20, and proxies add as many at most. */
const maxHeaders = 100;
/** In UTF-16 units. Browsers send up to 300; a proxy chain of 20 fits. */
const maxParsedLength = 1024;
/** Headers that libraries split into parts, at up to 150 ns per character. Repeated ones arrive joined into one. */
const parsedHeaders = [
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'cache-control', 'content-type', 'forwarded'],
  ...['host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'],
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
];

const badRequest: Refusal = { status: 400, message: 'The request could not be understood.' };
const refusalsByErrorCode: Record<string, Refusal> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to arrive.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: 'The chunks of the request carry too much besides content.' },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    message: 'The headers of the request are too long. If this is a browser, delete the cookies of this site.',
  },
};

/** Why the app must not see a request: its meaning is ambiguous, or parsing it is expensive. */
export function refusalOfRequest(req: IncomingMessage): Refusal | undefined {
  const { headers, rawHeaders } = req;
  if (rawHeaders.length > 2 * maxHeaders) return { status: 431, message: 'The request has too many headers.' };
  // RFC 9112, 3.2
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length > 1 || (hosts.length === 0 && req.httpVersion === '1.1')) return badRequest;
  const tooLong = parsedHeaders.find((name) => String(headers[name] ?? '').length > maxParsedLength);
  if (tooLong !== undefined) return { status: 431, message: `The ${tooLong} header of the request is too long.` };
  const coding = (headers['transfer-encoding'] ?? 'chunked').toLowerCase();
  // RFC 9112, 6.3: where the last coding is another one, nobody can tell where the request ends.
  if (!/(?:^|,\s*)chunked$/.test(coding)) return badRequest;
  // RFC 9112, 6.1
  if (coding !== 'chunked') {
    return { status: 501, message: 'The request has a transfer coding other than chunked.' };
  }
  if ((headers.expect ?? '100-continue').toLowerCase() !== '100-continue') {
    return { status: 417, message: 'The request expects something other than 100-continue.' };
  }
  return undefined;
}

/** What to answer to bytes that Node's parser refused, or that came too slowly. */
export function refusalOfError({ code = '' }: NodeJS.ErrnoException): Refusal {
  return refusalsByErrorCode[code] ?? badRequest;
}

/** Answers with a line of text, and closes the connection. */
export function refuse(res: ServerResponse, refusal: Refusal, headers: Record<string, string>): void {
  const body = `${refusal.message}\n`;
  res.writeHead(refusal.status, headersOf(body, headers)).end(body);
}

/** The same answer as bytes, for a connection on which Node has no response to write to. */
export function rawRefusal({ status, message }: Refusal, headers: Record<string, string>): string {
  const body = `${message}\n`;
  const lines = Object.entries({ Date: new Date().toUTCString(), ...headersOf(body, headers) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`;
}

function headersOf(body: string, headers: Record<string, string>) {
  return {
    ...headers,
    'Cache-Control': 'no-store',
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
  };
}
