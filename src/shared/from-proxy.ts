import type { Request } from 'express';

/** Whether a request came straight from a proxy that `TRUST_PROXY` names, whose headers are believed. */
export function isFromProxy(req: Request): boolean {
  const trusts: (address: string | undefined, hop: number) => boolean = req.app.get('trust proxy fn');
  return trusts(req.socket.remoteAddress, 0);
}
