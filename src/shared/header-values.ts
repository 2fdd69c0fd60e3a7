import http from 'node:http';
import { Socket } from 'node:net';

/** Middleware that sets headers, the same for every response. */
export type HeaderSetter = (req: http.IncomingMessage, res: http.ServerResponse, next: () => void) => void;

/** The headers that this middleware sets, by their names in lower case. */
export function headerValues(setHeaders: HeaderSetter): Record<string, string> {
  const sample = new http.ServerResponse(new http.IncomingMessage(new Socket()));
  setHeaders(sample.req, sample, () => {});
  return Object.fromEntries(Object.entries(sample.getHeaders()).map(([name, value]) => [name, String(value)]));
}
