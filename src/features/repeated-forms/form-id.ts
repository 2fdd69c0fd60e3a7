import { randomBytes } from 'node:crypto';
import type { Request } from 'express';
import { bodyField } from '../../middleware/bodies.ts';

/** A random name for a form, by which a copy of it that is sent again can be recognized. */
export function newFormId(): string {
  return randomBytes(12).toString('base64url');
}

/**
 * What a form that was sent has in common with its copies, and with nothing else: its name, the choice to stay signed in,
 * which a visitor can change before sending it once more, and the visitor's network address and browser, so that a copied
 * page is useless elsewhere.
 * @param otherwise names a form without a name of its own
 * @returns undefined for a form without any name
 */
export function formSeed(req: Request, otherwise?: string): string | undefined {
  const sent = bodyField(req, 'form');
  const formId = typeof sent === 'string' && /^[\w-]{16,64}$/.test(sent) ? sent : otherwise;
  if (formId === undefined) return undefined;
  return JSON.stringify([formId, req.ip, req.headers['user-agent'], bodyField(req, 'remember')]);
}
